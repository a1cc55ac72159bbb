//! Where the engine puts the frames that it writes.

/// A place for frames.
pub trait Sink {
    /// Frames that there is room for.
    fn room(&self) -> usize;

    /// Lets `write` fill a frame and say how long it is. False, and nothing happened, if there is
    /// no buffer.
    fn put(&mut self, write: impl FnOnce(&mut [u8]) -> usize) -> bool;
}

/// Frames in memory, for tests: there is always room.
impl Sink for Vec<Vec<u8>> {
    fn room(&self) -> usize {
        usize::MAX
    }

    fn put(&mut self, write: impl FnOnce(&mut [u8]) -> usize) -> bool {
        let mut frame = vec![0; crate::template::LONGEST];
        let len = write(&mut frame);
        frame.truncate(len);
        self.push(frame);
        true
    }
}
