//! One request and its answer, HTTP/1.1 as far as a scraper needs it; then the connection ends.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::page;
use crate::control::ControlPlane;

/// How long a request may take to come, and as long again its answer to go.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most octets of a request.
const MOST_OCTETS: usize = 8192;
/// Most headers of a request.
const MOST_HEADERS: usize = 64;
/// How long a page is shown before a new one is made.
const FRESH: Duration = Duration::from_secs(1);

/// Who answers.
pub(super) struct Desk {
    plane: Arc<dyn ControlPlane>,
    page: Mutex<Option<(Instant, Arc<str>)>>,
}

/// What a request comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Page { body: bool },
    Refusal(&'static str),
}

const NOT_FOUND: &str = "404 Not Found";

impl Desk {
    pub(super) fn new(plane: Arc<dyn ControlPlane>) -> Self {
        let page = Mutex::default();
        Self { plane, page }
    }

    pub(super) fn serve(&self, connection: &TcpStream) -> io::Result<()> {
        let wish = read(connection)?;
        let until = Instant::now() + PATIENCE;
        match wish {
            Wish::Page { body } => {
                let page = self.page();
                let head = head("200 OK", "text/plain; version=0.0.4; charset=utf-8", &page);
                write(connection, head.as_bytes(), until)?;
                let page: &str = if body { &page } else { "" };
                write(connection, page.as_bytes(), until)
            }
            Wish::Refusal(status) => write(connection, refusal(status).as_bytes(), until),
        }
    }

    /// The figures of now, or of a moment ago: many scrapers cost no more than one.
    fn page(&self) -> Arc<str> {
        let mut kept = self.page.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made, page)) = &*kept
            && made.elapsed() < FRESH
        {
            return Arc::clone(page);
        }
        let page: Arc<str> = page::render(self.plane.stats()).into();
        *kept = Some((Instant::now(), Arc::clone(&page)));
        page
    }
}

/// Tells one that is too many, without waiting for what it asks.
pub(super) fn refuse(connection: &TcpStream) {
    // Its buffer is empty, so this does not wait; who is gone wants no answer.
    let until = Instant::now() + Duration::from_millis(100);
    drop(write(
        connection,
        refusal("503 Service Unavailable").as_bytes(),
        until,
    ));
}

fn head(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    )
}

fn refusal(status: &str) -> String {
    let body = format!("{status}; figures are at /metrics\n");
    head(status, "text/plain; charset=utf-8", &body) + &body
}

/// What is left until a moment that has not passed.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(ErrorKind::TimedOut.into())
    } else {
        Ok(left)
    }
}

/// Reads a request, which has to be there in time as a whole.
fn read(mut connection: &TcpStream) -> io::Result<Wish> {
    let until = Instant::now() + PATIENCE;
    let mut octets = [0; MOST_OCTETS];
    let mut length = 0;
    loop {
        let room = octets.get_mut(length..).unwrap_or_default();
        if room.is_empty() {
            return Ok(Wish::Refusal("431 Request Header Fields Too Large"));
        }
        connection.set_read_timeout(Some(left(until)?))?;
        match connection.read(room) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(more) => length += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        if let Some(wish) = parse(octets.get(..length).unwrap_or_default()) {
            return Ok(wish);
        }
    }
}

/// What the octets ask for; `None` if there are more to come.
fn parse(octets: &[u8]) -> Option<Wish> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(octets) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return None,
        Err(_) => return Some(Wish::Refusal("400 Bad Request")),
    }
    let path = request.path.and_then(|path| path.split('?').next());
    Some(match (request.method, path) {
        (Some("GET"), Some("/metrics")) => Wish::Page { body: true },
        (Some("HEAD"), Some("/metrics")) => Wish::Page { body: false },
        (Some("GET" | "HEAD"), _) => Wish::Refusal(NOT_FOUND),
        _ => Wish::Refusal("405 Method Not Allowed"),
    })
}

/// Writes all octets in time.
fn write(mut connection: &TcpStream, mut octets: &[u8], until: Instant) -> io::Result<()> {
    while !octets.is_empty() {
        connection.set_write_timeout(Some(left(until)?))?;
        match connection.write(octets) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => octets = octets.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(text: &str) -> Option<Wish> {
        parse(text.as_bytes())
    }

    #[test]
    fn a_request_is_taken_when_it_is_whole() {
        let whole = "GET /metrics HTTP/1.1\r\nHost: here\r\nAccept: */*\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(asked(&whole[..end]), None, "{end}");
        }
        assert_eq!(asked(whole), Some(Wish::Page { body: true }));
        let head = whole.replace("GET", "HEAD");
        assert_eq!(asked(&head), Some(Wish::Page { body: false }));
        let query = whole.replace("/metrics", "/metrics?a=b");
        assert_eq!(asked(&query), Some(Wish::Page { body: true }));
    }

    #[test]
    fn anything_else_is_refused() {
        let status = |text: &str| match asked(text) {
            Some(Wish::Refusal(status)) => status.split(' ').next().unwrap_or_default().to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), "404");
        assert_eq!(status("POST /metrics HTTP/1.1\r\n\r\n"), "405");
        assert_eq!(status("\x16\x03\x01\x02\x00"), "400");
        let many = "A: b\r\n".repeat(MOST_HEADERS + 1);
        assert_eq!(
            status(&format!("GET /metrics HTTP/1.1\r\n{many}\r\n")),
            "400"
        );
    }

    proptest! {
        #[test]
        fn no_octets_are_anything_but_a_wish_or_a_wait(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&octets);
        }
    }
}
