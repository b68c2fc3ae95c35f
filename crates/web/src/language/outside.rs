//! Keeps words for people in the files of languages: a test goes through the page's sources, and finds those that stand elsewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Texts that look like words for people and are no words of a language. One that no source holds any more fails the test too.
const ALLOWED: [&str; 17] = [
    // Names.
    "DINO-Med3D",
    "DINO-Med3D {}",
    // Keys of the keyboard, as the browser calls them.
    "ArrowUp",
    "ArrowDown",
    "ArrowLeft",
    "ArrowRight",
    "Home",
    "End",
    "Escape",
    "Enter",
    // What names of labels are searched for.
    "Left ",
    "ventral dc",
    "lat vent",
    "brain stem",
    "white matter",
    // What is written into NIfTI headers, of 79 bytes in ASCII, for whatever program reads them.
    "DINO-Med3D, changed by hand; not a medical device",
    "DINO-Med3D, changed by hand, learnt from {strokes} stroke{plural}; not a medical device",
];

/// What the page and its worker share, or what is the worker's, which speaks English; the languages.
const NOT_LOOKED_AT: [&str; 5] = ["worker", "language", "link.rs", "protocol.rs", "thrown.rs"];

/// What a programmer reads when the program is wrong.
const FOR_PROGRAMMERS: [&str; 7] = [
    "expect",
    "expect_err",
    "assert",
    "assert_eq",
    "assert_ne",
    "panic",
    "unreachable",
];

/// Attributes of elements whose texts nobody sees, by the last word of their names.
const UNSEEN: [&str; 16] = [
    "autocomplete",
    "class",
    "d",
    "describedby",
    "for",
    "href",
    "id",
    "labelledby",
    "live",
    "preserveAspectRatio",
    "rel",
    "role",
    "scope",
    "testid",
    "type",
    "viewBox",
];

/// Attributes that are seen or read aloud, by the last word of their names.
const SEEN: [&str; 6] = [
    "alt",
    "label",
    "placeholder",
    "roledescription",
    "title",
    "valuetext",
];

fn is_letter(letter: char) -> bool {
    letter.is_alphabetic()
}

/// The text of a literal as it stands in the source, without its escapes; none of a number, a single letter or bytes.
fn text_of(literal: &str) -> Option<String> {
    let quoted = literal.trim_start_matches(['r', '#']);
    let inner = quoted.strip_prefix('"')?;
    let inner = inner.trim_end_matches('#').strip_suffix('"')?;
    let mut text = String::new();
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some('u') => {
                let _ = letters.by_ref().find(|letter| *letter == '}');
            }
            Some('n' | 'r' | 't' | '\n') => text.push(' '),
            Some(letter) => text.push(letter),
            None => {}
        }
    }
    Some(text)
}

/// Without what stands between two letters, such as the tags of HTML.
fn without(text: &str, open: char, close: char) -> String {
    let mut depth = 0;
    let kept = text.chars().filter(|&letter| {
        let is_end = letter == close && depth > 0;
        depth += usize::from(letter == open);
        let is_kept = depth == 0;
        depth -= usize::from(is_end);
        is_kept
    });
    kept.collect()
}

/// Whether there are two words one after the other.
fn has_two_words(text: &str) -> bool {
    let is_word = |word: &&str| word.starts_with(is_letter);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.windows(2).any(|pair| pair.iter().all(is_word))
}

/// Whether a text may be for people: two words, a capital before a small letter, or the end of a sentence.
fn looks_like_words(text: &str) -> bool {
    let text = without(&without(text, '<', '>'), '{', '}');
    let letters: Vec<char> = text.chars().collect();
    let is_capital = |pair: &[char]| pair[0].is_uppercase() && pair[1].is_lowercase();
    let is_end = |pair: &[char]| is_letter(pair[0]) && ".…:?!".contains(pair[1]);
    let end = letters.len().saturating_sub(2);
    has_two_words(&text)
        || letters.windows(2).any(is_capital)
        || letters[end..].windows(2).any(is_end)
}

/// What stands before a literal.
enum Before {
    /// An element's or a node's end, so that it is text on the page.
    Element,
    /// That attribute, by the last word of its name.
    Attribute(String),
    /// Anything else.
    Other,
}

fn before(tokens: &[TokenTree], next: Option<&TokenTree>) -> Before {
    let is_punct = |token: Option<&TokenTree>, which: char| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == which);
    let from_end = |place: usize| tokens.len().checked_sub(place).map(|place| &tokens[place]);
    if is_punct(from_end(1), '>') && !is_punct(from_end(2), '=') && !is_punct(from_end(2), '-') {
        return Before::Element;
    }
    let is_block = |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
    if from_end(1).is_some_and(is_block) && is_punct(next, '<') {
        return Before::Element;
    }
    let is_let =
        matches!(from_end(3), Some(TokenTree::Ident(word)) if *word == "let" || *word == "mut");
    match from_end(2) {
        Some(TokenTree::Ident(name)) if is_punct(from_end(1), '=') && !is_let => {
            Before::Attribute(name.to_string())
        }
        _ => Before::Other,
    }
}

/// Adds the texts for people in Rust, those of tests and of programmers' own left out.
fn find_in_rust(stream: TokenStream, found: &mut Vec<String>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut place = 0;
    while let Some(token) = tokens.get(place) {
        place += 1;
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                let Some(attribute) =
                    tokens[place..]
                        .iter()
                        .take(2)
                        .find_map(|token| match token {
                            TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                                Some(group)
                            }
                            _ => None,
                        })
                else {
                    continue;
                };
                while !matches!(&tokens[place], TokenTree::Group(_)) {
                    place += 1;
                }
                place += 1;
                if attribute.stream().to_string().replace(' ', "") == "cfg(test)" {
                    let is_end = |token: &TokenTree| match token {
                        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                        TokenTree::Punct(punct) => punct.as_char() == ';',
                        _ => false,
                    };
                    let item = tokens[place..].iter().position(is_end);
                    place += item.expect("an item after its attribute") + 1;
                }
            }
            TokenTree::Ident(word) if FOR_PROGRAMMERS.iter().any(|it| word == it) => {
                let is_bang = matches!(tokens.get(place), Some(TokenTree::Punct(punct)) if punct.as_char() == '!');
                place += usize::from(is_bang);
                let is_group = matches!(tokens.get(place), Some(TokenTree::Group(_)));
                place += usize::from(is_group);
            }
            TokenTree::Group(group) => find_in_rust(group.stream(), found),
            TokenTree::Literal(literal) => {
                let Some(text) = text_of(&literal.to_string()) else {
                    continue;
                };
                let is_for_people = match before(&tokens[..place - 1], tokens.get(place)) {
                    Before::Attribute(name) if UNSEEN.contains(&&*name) => false,
                    Before::Attribute(name) if SEEN.contains(&&*name) => text.contains(is_letter),
                    Before::Element => text.contains(is_letter),
                    Before::Attribute(_) | Before::Other => looks_like_words(&text),
                };
                if is_for_people {
                    found.push(text);
                }
            }
            _ => {}
        }
    }
}

/// Adds the texts of a script that are two words; those of its console are for programmers.
fn find_in_script(script: &str, found: &mut Vec<String>) {
    let mut rest = script;
    let after =
        |text: &str, end: &str| text.find(end).map_or(text.len(), |place| place + end.len());
    let mut is_of_console = false;
    while let Some(letter) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = &rest[after(rest, "\n")..];
        } else if rest.starts_with("/*") {
            rest = &rest[after(rest, "*/")..];
        } else if "\"'`".contains(letter) {
            let inner = &rest[1..];
            let end = inner.find(letter).expect("a text's end");
            let text = &inner[..end];
            if !is_of_console && has_two_words(&without(text, '{', '}')) {
                found.push(text.to_owned());
            }
            rest = &inner[end + 1..];
        } else {
            is_of_console = is_of_console && letter != ';' || rest.starts_with("console.");
            rest = &rest[letter.len_utf8()..];
        }
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if NOT_LOOKED_AT.contains(&&*name) || name == "tests.rs" {
            continue;
        }
        if path.is_dir() {
            sources.extend(self::sources(&path));
        } else {
            sources.push(path);
        }
    }
    sources
}

fn in_rust(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    find_in_rust(source.parse().expect("Rust"), &mut found);
    found
}

#[test]
fn words_for_people_stand_in_the_files_of_languages_alone() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut allowed = BTreeSet::from(ALLOWED);
    let mut outside = Vec::new();
    for path in sources(&src) {
        let source = fs::read_to_string(&path).expect("a source in UTF-8");
        let found = match path.extension().and_then(|ending| ending.to_str()) {
            Some("rs") => in_rust(&source),
            Some("js") => {
                let mut found = Vec::new();
                find_in_script(&source, &mut found);
                found
            }
            _ => continue,
        };
        for text in found {
            if ALLOWED.contains(&&*text) {
                allowed.remove(&*text);
            } else {
                outside.push(format!(
                    "{}: {text:?}",
                    path.strip_prefix(&src).unwrap().display()
                ));
            }
        }
    }
    assert!(
        outside.is_empty(),
        "words for people belong in src/language/en.rs, and these stand elsewhere:\n{}",
        outside.join("\n")
    );
    assert!(allowed.is_empty(), "allowed, and nowhere: {allowed:?}");
}

#[test]
fn the_search_sees_what_a_person_would() {
    let found = |source: &str| in_rust(source);
    let view = r#"view! {
        <p class="panel is-wide" aria-label="close">"stop"</p>
        <button title="Go on" data-testid="go-on" placeholder=format!("{n} left")>{"x"}" and "</button>
    }"#;
    assert_eq!(found(view), ["close", "stop", "Go on", " and "]);
    assert_eq!(
        found(r#"fn a() { let class = "Not seen"; match b { 1 => "gate", _ => "Reading" } }"#),
        ["Not seen", "Reading"]
    );
    assert_eq!(
        found(r#"x(format!("{name} is open."), "no scan", "{a}: {b}", "stop…")"#),
        ["{name} is open.", "no scan", "stop…"]
    );
    assert!(
        found(
            r#"
            /// Says so.
            #[serde(rename_all = "camelCase")]
            fn a() { b.expect("a page has a window"); assert!(c, "of {d} parts"); e("<p class=\"Of it\">{f}</p>") }
            #[cfg(test)] mod tests { const A: &str = "A sentence."; }
            "#
        )
        .is_empty()
    );
    let mut of_script = Vec::new();
    find_in_script(
        "// It's said.\na = 'no scan'; console.info(`not kept: ${b}`); c(\"2d\", `d ${e} f`);",
        &mut of_script,
    );
    assert_eq!(of_script, ["no scan"]);
}

/// What a language has, as it is declared: the names, what functions take and give, and of structures all of it.
fn declared(source: &str) -> BTreeSet<String> {
    fn collect(stream: TokenStream, path: &str, into: &mut BTreeSet<String>) {
        let mut tokens = stream.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let TokenTree::Ident(kind) = &token else {
                continue;
            };
            if *kind == "mod" {
                let name = tokens.next().expect("a name").to_string();
                if let Some(TokenTree::Group(group)) = tokens.next() {
                    collect(group.stream(), &format!("{path}{name}::"), into);
                }
                continue;
            }
            if !["const", "fn", "struct"].iter().any(|it| kind == it) {
                continue;
            }
            let is_struct = *kind == "struct";
            let mut declared = format!("{path}{kind}");
            for token in tokens.by_ref() {
                let is_end = match &token {
                    TokenTree::Punct(punct) => "=;".contains(punct.as_char()),
                    TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                    _ => false,
                };
                if !is_end || is_struct {
                    declared.push_str(&format!(" {token}"));
                }
                if is_end {
                    break;
                }
            }
            into.insert(declared);
        }
    }
    let mut into = BTreeSet::new();
    collect(source.parse().expect("Rust"), "", &mut into);
    into
}

#[test]
fn every_language_has_what_english_has_and_nothing_else() {
    let english = declared(include_str!("en.rs"));
    let german = declared(include_str!("de.rs"));
    assert!(english.len() > 300, "{} declarations", english.len());
    let missing: Vec<_> = english.difference(&german).collect();
    let more: Vec<_> = german.difference(&english).collect();
    assert!(
        missing.is_empty(),
        "de.rs lacks {missing:#?}, and has {more:#?}"
    );
    assert!(more.is_empty(), "de.rs has {more:#?}");
}

#[test]
fn the_site_is_called_as_the_page_is() {
    let site = include_str!("../../../../index.html");
    assert!(site.contains(&format!("<title>{}</title>", super::en::page::TITLE)));
    assert!(site.contains(super::en::page::NOTICE));
    assert_eq!(super::en::page::NOTICE, dinomed3d_volume::NOTICE);
}
