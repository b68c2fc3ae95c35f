//! What JavaScript throws, in words.

use wasm_bindgen::prelude::*;

/// What a thrown value says, without its full stop: it becomes a part of a sentence.
pub fn describe(thrown: &JsValue) -> String {
    let mut said = match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => thrown.as_string().unwrap_or_else(|| format!("{thrown:?}")),
    };
    if said.ends_with('.') {
        said.pop();
    }
    said
}
