//! How far a command is, on stderr: for a person one line that changes, for a log a line now and then.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Between two lines of a log.
const SELDOM: Duration = Duration::from_secs(60);

/// A line about how far a command is.
#[derive(Debug)]
pub struct Progress {
    is_terminal: bool,
    /// When a log got its last line, or would have got its first.
    last: Instant,
    /// Characters of the line that stands there.
    width: usize,
}

impl Progress {
    /// On stderr, whatever that is.
    pub fn new() -> Self {
        Self::on(std::io::stderr().is_terminal(), Instant::now())
    }

    fn on(is_terminal: bool, now: Instant) -> Self {
        Self {
            is_terminal,
            last: now,
            width: 0,
        }
    }

    /// Shows `text` instead of what was shown before; a log gets it only if its last line is old.
    pub fn show(&mut self, text: &str) {
        write(&self.next(text, Instant::now()));
    }

    /// Shows `text` as a line that stays, in a log too.
    pub fn keep(&mut self, text: &str) {
        write(&self.last(text, Instant::now()));
    }

    /// Leaves the line as it is, for other lines to follow.
    pub fn end(&mut self) {
        if self.width > 0 {
            write("\n");
            self.width = 0;
        }
    }

    fn next(&mut self, text: &str, now: Instant) -> String {
        if self.is_terminal {
            return self.over(text);
        }
        if now.duration_since(self.last) < SELDOM {
            return String::new();
        }
        self.last = now;
        format!("{text}\n")
    }

    fn last(&mut self, text: &str, now: Instant) -> String {
        self.last = now;
        if !self.is_terminal {
            return format!("{text}\n");
        }
        let line = self.over(text) + "\n";
        self.width = 0;
        line
    }

    /// Covers the longer line that may stand there.
    fn over(&mut self, text: &str) -> String {
        let line = format!("\r{text:<width$}", width = self.width);
        self.width = text.chars().count();
        line
    }
}

/// A progress line that cannot be shown is no reason to stop.
fn write(text: &str) {
    let mut stderr = std::io::stderr();
    let _ = stderr
        .write_all(text.as_bytes())
        .and_then(|()| stderr.flush());
}

/// Counts.
#[derive(Debug)]
pub struct Counting {
    what: &'static str,
    progress: Progress,
}

impl Counting {
    /// With what goes before the number.
    pub fn new(what: &'static str) -> Self {
        Self {
            what,
            progress: Progress::new(),
        }
    }

    /// The number under way, from 1, and of how many.
    pub fn show(&mut self, number: usize, count: usize) {
        let text = format!("{} {number} of {count}", self.what);
        if number == count {
            self.progress.keep(&text);
        } else {
            self.progress.show(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_s_line_changes_and_covers_the_one_before() {
        let now = Instant::now();
        let mut progress = Progress::on(true, now);
        assert_eq!(progress.next("window 9", now), "\rwindow 9");
        assert_eq!(progress.next("done", now), "\rdone    ");
        assert_eq!(progress.last("all", now), "\rall \n");
        assert_eq!(progress.next("a", now), "\ra");
    }

    #[test]
    fn a_log_gets_whole_lines_and_seldom() {
        let begun = Instant::now();
        let mut progress = Progress::on(false, begun);
        let lines: String = (0..=150)
            .map(|second| {
                progress.next(&format!("at {second}"), begun + Duration::from_secs(second))
            })
            .collect();
        assert_eq!(lines, "at 60\nat 120\n");
        assert_eq!(progress.last("done", begun), "done\n");
    }
}
