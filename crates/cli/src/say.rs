//! What a command says.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::process::exit;

/// How a shell reports a program that nobody listens to any more: 128 and SIGPIPE.
const NO_READER: i32 = 141;

/// A line on stdout, as `println!`, which panics where there is no reader left.
macro_rules! say {
    ($($word:tt)*) => { $crate::say::line(format_args!($($word)*)) };
}
pub(crate) use say;

/// Writes a line. A reader that has heard enough (`| head`) ends the program without a word, as it ends others; a line that
/// can't be written ends it with one.
pub fn line(words: Arguments) {
    let Err(error) = writeln!(io::stdout(), "{words}") else {
        return;
    };
    failed(&error)
}

/// Ends the program because of a line that can't be written.
pub fn failed(error: &io::Error) -> ! {
    if error.kind() == ErrorKind::BrokenPipe {
        exit(NO_READER);
    }
    eprintln!("dinomed3d: writing to stdout: {error}");
    exit(2);
}

/// Names what is passed over.
pub fn say_passed_over(files: &[String]) {
    for file in files {
        eprintln!("passed over: {file}");
    }
}
