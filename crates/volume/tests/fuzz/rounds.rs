//! Rounds of damaged inputs for a reader, each an input of its own, until the time is up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::memory;
use crate::mutation::Mutation;

/// What a reader may hold of one input; seeds are a thousandth of it.
pub const MOST_BYTES: usize = 200 << 20;
const LONGEST: Duration = Duration::from_secs(2);

fn number(variable: &str, otherwise: u64) -> u64 {
    let text = std::env::var(variable).ok();
    text.map_or(otherwise, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is {text:?}: a whole number is expected"))
    })
}

/// Has `read` read changed seeds until the time is up; each round is an input of its own, whatever came before it. `read`
/// says whether the input was taken for what it was.
pub fn fuzz(target: &'static str, read: impl Fn(&mut Mutation) -> bool + Send + 'static) {
    let seconds = Duration::from_secs(number("DINOMED3D_FUZZ_SECONDS", 5));
    let first = number("DINOMED3D_FUZZ_ROUND", 0);
    // The round that is on, and when it began.
    static NEVER: u64 = u64::MAX;
    let on: &'static [AtomicU64; 2] =
        Box::leak(Box::new([AtomicU64::new(first), AtomicU64::new(NEVER)]));
    let begun = Instant::now();
    let reader = std::thread::spawn(move || {
        let mut taken = 0;
        for round in first.. {
            if begun.elapsed() > seconds {
                println!("{target}: {} inputs, {taken} of them read", round - first);
                return taken;
            }
            let mut mutation = Mutation::new(round);
            on[0].store(round, Ordering::Relaxed);
            on[1].store(begun.elapsed().as_millis() as u64, Ordering::Relaxed);
            memory::allow(MOST_BYTES);
            let ended = catch_unwind(AssertUnwindSafe(|| read(&mut mutation)));
            let refused = memory::refused();
            on[1].store(NEVER, Ordering::Relaxed);
            match ended {
                Ok(is_taken) => taken += u64::from(is_taken),
                Err(_) => panic!("{target}: round {round} panicked"),
            }
            if let Some(bytes) = refused {
                panic!("{target}: round {round} asked for {bytes} bytes beyond {MOST_BYTES}");
            }
        }
        taken
    });
    while !reader.is_finished() {
        std::thread::sleep(Duration::from_millis(20));
        let since = on[1].load(Ordering::Relaxed);
        let now = begun.elapsed().as_millis() as u64;
        assert!(
            since == NEVER || now.saturating_sub(since) < LONGEST.as_millis() as u64,
            "{target}: round {} takes longer than {LONGEST:?}",
            on[0].load(Ordering::Relaxed)
        );
    }
    let taken = reader.join().expect("said above");
    // Damage that is always found at once tries little.
    assert!(taken > 0, "{target}: no input was read");
}

/// What a person would be told is one line.
pub fn assert_one_line(said: &str) {
    let is_one_line = !said.is_empty() && !said.contains(char::is_control);
    assert!(is_one_line, "{said:?}");
}
