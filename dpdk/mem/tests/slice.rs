//! Slices on huge pages, by what the kernel says of them.

use std::fs;
use std::mem::MaybeUninit;

use hugemem::{HUGE_PAGE, MapError, Pages, octets, prefetch, prefetch_read, slice_with};

/// The value, in octets, of `key` for the mapping that holds `address`.
fn smaps(address: usize, key: &str) -> Option<usize> {
    let text = fs::read_to_string("/proc/self/smaps").ok()?;
    let mut inside = false;
    for line in text.lines() {
        let first = line.split_whitespace().next()?;
        if let Some((from, to)) = first.split_once('-') {
            let from = usize::from_str_radix(from, 16).ok()?;
            let to = usize::from_str_radix(to, 16).ok()?;
            inside = (from..to).contains(&address);
        } else if inside && first.strip_suffix(':') == Some(key) {
            let kib: usize = line.split_whitespace().nth(1)?.parse().ok()?;
            return Some(kib << 10);
        }
    }
    None
}

#[test]
fn every_element_is_made_from_its_index() {
    let region = slice_with(100_000, |index| index as u64 * 3).unwrap();
    assert_eq!(region.slice.len(), 100_000);
    assert!((0u64..).zip(&*region.slice).all(|(i, &v)| v == i * 3));
}

#[test]
fn the_caller_is_told_which_pages_it_got() {
    let region = slice_with(HUGE_PAGE, |_| 0u8).unwrap();
    let address = region.slice.as_ptr().addr();
    let page = smaps(address, "KernelPageSize").expect("the mapping is listed");
    match region.pages {
        Pages::Huge => assert_eq!(page, HUGE_PAGE),
        Pages::Ordinary => assert!(page < HUGE_PAGE),
    }
}

#[test]
fn pages_are_present_before_their_first_use() {
    // Elements whose maker writes nothing: their pages are there all the same.
    let region = slice_with(2 * HUGE_PAGE, |_| MaybeUninit::<u8>::uninit()).unwrap();
    let address = region.slice.as_ptr().addr();
    let resident = match region.pages {
        Pages::Huge => smaps(address, "Private_Hugetlb"),
        Pages::Ordinary => smaps(address, "Rss"),
    };
    assert!(resident.expect("the mapping is listed") >= size_of_val(&*region.slice));
}

#[test]
fn what_the_kernel_cannot_map_is_an_error() {
    // More than the address space of any process.
    let refused = slice_with(1 << 50, |_| 0u8).err();
    let Some(MapError::Map { octets, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(octets, 1 << 50);
}

#[test]
fn an_empty_slice_and_elements_without_size_need_no_memory() {
    let empty = slice_with(0, |_| 0u64).unwrap();
    assert!(empty.slice.is_empty());
    let mut calls = 0;
    let units = slice_with(usize::MAX >> 48, |_| calls += 1).unwrap();
    assert_eq!(units.slice.len(), usize::MAX >> 48);
    assert_eq!(calls, usize::MAX >> 48);
}

#[test]
fn a_size_that_overflows_is_refused() {
    for len in [usize::MAX, usize::MAX / 8, usize::MAX / 16] {
        let refused = slice_with(len, |_| 0u64).err();
        assert_eq!(refused, Some(MapError::TooLarge { len, size: 8 }));
    }
    assert_eq!(octets::<u64>(usize::MAX), None);
    assert_eq!(octets::<u64>(1), Some(HUGE_PAGE));
    assert_eq!(octets::<u64>(0), Some(0));
}

#[test]
fn elements_are_aligned_as_their_type_asks() {
    #[repr(align(4096))]
    struct Page([u8; 4096]);
    let region = slice_with(3, |i| Page([u8::try_from(i).unwrap(); 4096])).unwrap();
    assert_eq!(region.slice.as_ptr().addr() % 4096, 0);
    assert!(
        region
            .slice
            .iter()
            .zip(0u8..)
            .all(|(p, i)| p.0 == [i; 4096])
    );
}

#[test]
fn elements_are_never_dropped() {
    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            panic!("a leaked element was dropped");
        }
    }
    let sized = slice_with(4, |index| (index, Loud)).unwrap();
    assert_eq!(sized.slice.last().map(|(index, _)| *index), Some(3));
    let unsized_ones = slice_with(4, |_| Loud).unwrap();
    assert_eq!(unsized_ones.slice.len(), 4);
}

#[test]
fn a_prefetch_changes_nothing_and_takes_any_index() {
    let region = slice_with(64, |index| index).unwrap();
    for index in [0, 1, 63, 64, usize::MAX] {
        prefetch(region.slice, index);
    }
    prefetch_read(&region.slice[63]);
    prefetch::<u64>(&[], 0);
    assert!(region.slice.iter().copied().eq(0..64));
}
