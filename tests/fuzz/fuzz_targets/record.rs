//! A record of the store; what can be read is written as it was.
#![no_main]

use lessor::store::encode::{MAX_RECORD, decode, encode, seal};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut octets = data.to_vec();
    // A checksum is not to be guessed: it is made to fit.
    if let Some(length) = lessor::store::encode::length(&octets).filter(|l| *l <= octets.len()) {
        let lsn = lessor::store::Lsn(data.len() as u64);
        seal(&mut octets[..length], lsn);
        if let Ok((found, record, behind)) = decode(&octets) {
            let mut again = [0; MAX_RECORD];
            assert_eq!(encode(&record, &mut again), Ok(length));
            seal(&mut again[..length], found);
            assert_eq!((found, behind.len()), (lsn, octets.len() - length));
            assert_eq!(again[..length], octets[..length]);
        }
    }
    let _refused = decode(data);
});
