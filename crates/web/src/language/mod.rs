//! The page's words, all of them: a language is one file, and a site speaks one. Whatever the page says to a person stands there and
//! nowhere else, but for what comes from data, and for what the worker and the libraries say, which is in English.
//! `docs/translating.md` says how to add a language.

// What no site speaks is compiled all the same, so that it stays whole, and goes into no program.
#[allow(dead_code)]
mod de;
mod en;
#[cfg(test)]
mod outside;
#[cfg(test)]
mod tests;

/// With a minus sign where a program has a hyphen, and none before what is rounded to 0.
fn with_minus(number: String) -> String {
    let Some(size) = number.strip_prefix('-') else {
        return number;
    };
    match size.bytes().any(|digit| (b'1'..=b'9').contains(&digit)) {
        true => format!("\u{2212}{size}"),
        false => size.to_owned(),
    }
}

// The language of this site.
pub use en::*;
