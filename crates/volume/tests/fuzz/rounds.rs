//! Rounds of damaged inputs for a reader, each an input of its own, until the time is up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::memory;
use crate::mutation::Mutation;

/// What a reader may hold of one input; seeds are a thousandth of it.
pub const MOST_BYTES: usize = 200 << 20;
/// What a reader may take of the processor for one input, as far as that can be told of a thread; others may use it meanwhile.
const LONGEST: Duration = Duration::from_secs(2);
/// What it may take in all.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

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
    let seconds = Duration::from_secs(number("DINOMED3D_FUZZ_SECONDS", 1));
    let first = number("DINOMED3D_FUZZ_ROUND", 0);
    // The round that is on, and when it began.
    static NEVER: u64 = u64::MAX;
    let on: &'static [AtomicU64; 2] =
        Box::leak(Box::new([AtomicU64::new(first), AtomicU64::new(NEVER)]));
    let thread: &'static OnceLock<Option<PathBuf>> = Box::leak(Box::default());
    let begun = Instant::now();
    let reader = std::thread::spawn(move || {
        let own = std::fs::read_link("/proc/thread-self").ok();
        let _ = thread.set(own.map(|own| Path::new("/proc").join(own)));
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
    // A round, and how long its thread had computed when it was met.
    let mut met = None;
    while !reader.is_finished() {
        std::thread::sleep(Duration::from_millis(20));
        let (round, since) = (on[0].load(Ordering::Relaxed), on[1].load(Ordering::Relaxed));
        let computed = thread.get().and_then(|own| computed(own.as_deref()?));
        if since == NEVER || met.is_none_or(|(other, _)| other != round) {
            met = Some((round, computed));
            continue;
        }
        let waited = begun.elapsed().saturating_sub(Duration::from_millis(since));
        let before = met.and_then(|(_, computed)| computed);
        let alone = computed
            .zip(before)
            .map(|(now, before)| now.saturating_sub(before));
        assert!(
            alone.unwrap_or(waited) < LONGEST && waited < LONGEST_WAIT,
            "{target}: round {round} takes longer than {LONGEST:?}"
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

/// How long a thread has computed, where Linux tells.
fn computed(thread: &Path) -> Option<Duration> {
    let text = std::fs::read_to_string(thread.join("stat")).ok()?;
    // Behind the thread's name, which may hold spaces: time of its own and of the kernel for it, in hundredths of a second.
    let (_, fields) = text.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11).map(str::parse::<u64>);
    let (own, of_kernel) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some(Duration::from_millis(10 * (own + of_kernel)))
}

#[cfg(target_os = "linux")]
#[test]
#[should_panic(expected = "takes longer than")]
fn a_reader_that_hangs_is_told_of() {
    fuzz("hang", |_| {
        let own = Path::new("/proc/thread-self");
        while computed(own).expect("Linux tells") < 2 * LONGEST {}
        true
    });
}
