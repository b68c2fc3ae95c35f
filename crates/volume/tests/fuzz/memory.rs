//! An allocator that counts what each thread holds and refuses what is too much.

// There is no allocator without.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write;

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    /// What may be held; nothing is counted against it before a reader begins.
    static MOST: Cell<isize> = const { Cell::new(isize::MAX) };
    static REFUSED: Cell<usize> = const { Cell::new(0) };
}

/// From now on this thread may hold so much more than it holds.
pub fn allow(bytes: usize) {
    REFUSED.set(0);
    MOST.set(HELD.get() + bytes as isize);
}

/// What was asked for beyond it since, if anything; from now on all is allowed.
pub fn refused() -> Option<usize> {
    MOST.set(isize::MAX);
    Some(REFUSED.get()).filter(|&bytes| bytes > 0)
}

fn take(bytes: usize) -> bool {
    let held = HELD.get() + bytes as isize;
    if held > MOST.get() {
        REFUSED.set(bytes);
        // Who does not ask whether there is memory is ended by the null that comes, with no other word.
        let most = MOST.replace(isize::MAX);
        let _ = writeln!(std::io::stderr(), "{bytes} bytes are refused");
        MOST.set(most);
        return false;
    }
    HELD.set(held);
    true
}

fn give_back(bytes: usize) {
    HELD.set(HELD.get() - bytes as isize);
}

// SAFETY: all memory is the system's allocator's, called as this one is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match take(layout.size()) {
            true => unsafe { System.alloc(layout) },
            false => std::ptr::null_mut(),
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match take(layout.size()) {
            true => unsafe { System.alloc_zeroed(layout) },
            false => std::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        give_back(layout.size());
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are there while one is copied to the other.
        if !take(size) {
            return std::ptr::null_mut();
        }
        give_back(layout.size());
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[test]
fn what_is_too_much_is_refused_and_told() {
    allow(1 << 20);
    let mut room: Vec<u8> = Vec::new();
    assert!(room.try_reserve_exact(1 << 19).is_ok());
    assert!(room.try_reserve_exact(1 << 21).is_err());
    assert_eq!(refused(), Some(1 << 21));
    allow(1 << 20);
    drop(room);
    let rooms: Vec<Vec<u8>> = (0..100).map(|_| vec![0; 1 << 13]).collect();
    drop(rooms);
    assert_eq!(refused(), None);
}
