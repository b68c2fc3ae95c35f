//! The page's words, all of them: a language is one file, and a site speaks one. Whatever the page says to a person stands there and
//! nowhere else, but for what comes from data, and for what the worker and the libraries say, which is in English.
//! `docs/translating.md` says how to add a language.

// What no site speaks is compiled all the same, so that it stays whole, and goes into no program.
#[allow(dead_code)]
mod de;
mod en;
#[cfg(test)]
mod outside;

// The language of this site.
pub use en::*;
