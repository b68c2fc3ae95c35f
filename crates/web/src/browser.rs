//! The few things the page asks of the browser directly.

use crate::language::failure;
use crate::media_type;
use crate::results_archive;
use crate::thrown::describe;
use js_sys::{Array, ArrayBuffer, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, BlobPropertyBag, DataTransfer, Element, File, FileList, HtmlElement, Response, Url,
    UrlSearchParams,
};

#[wasm_bindgen(module = "/src/offline.js")]
extern "C" {
    /// Has the browser keep the site's files for use without a network, where it can.
    #[wasm_bindgen(js_name = keepSite)]
    pub async fn keep_site();
}

#[wasm_bindgen(module = "/src/focus.js")]
extern "C" {
    /// From now on the focus that a control loses has a place near it, and comes back to it.
    #[wasm_bindgen(js_name = keepFocus)]
    pub fn keep_focus();
}

#[wasm_bindgen(module = "/src/files.js")]
extern "C" {
    #[wasm_bindgen(js_name = droppedFiles)]
    fn dropped_files_js(transfer: &DataTransfer) -> Promise;

    #[wasm_bindgen(js_name = chosenFiles)]
    fn chosen_files_js(files: &FileList) -> Array;

    /// Saves bytes of a media type as a file of that name.
    #[wasm_bindgen(js_name = saveFile)]
    pub fn save_file(name: &str, bytes: &Uint8Array, media_type: &str);
}

/// Saves a table.
pub fn save_text(name: &str, csv: &str) {
    let bytes = results_archive::for_spreadsheets(csv);
    save_file(name, &Uint8Array::from(&bytes[..]), media_type::CSV);
}

/// A file that the visitor chose or dropped.
pub struct VisitorFile {
    /// Where it lies in what was chosen, with slashes.
    pub path: String,
    /// The file.
    pub file: File,
}

/// All files of a drop, of folders too. Asked while the drop is handled; the future may be awaited later.
pub fn dropped_files(
    transfer: &DataTransfer,
) -> impl Future<Output = Result<Vec<VisitorFile>, String>> + 'static {
    let files = JsFuture::from(dropped_files_js(transfer));
    async move {
        let files = files.await.map_err(|error| describe(&error))?;
        Ok(visitor_files(&files.unchecked_into()))
    }
}

/// All files of an input.
pub fn chosen_files(files: &FileList) -> Vec<VisitorFile> {
    visitor_files(&chosen_files_js(files))
}

/// From pairs of path and file, sorted by path.
fn visitor_files(pairs: &Array) -> Vec<VisitorFile> {
    let file = |pair: JsValue| {
        let pair: Array = pair.unchecked_into();
        VisitorFile {
            path: pair.get(0).as_string().unwrap_or_default(),
            file: pair.get(1).unchecked_into(),
        }
    };
    let mut files: Vec<_> = pairs.iter().map(file).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn window() -> web_sys::Window {
    web_sys::window().expect("a page has a window")
}

/// Asks the visitor a question that has two answers; no means no.
pub fn confirm(question: &str) -> bool {
    window().confirm_with_message(question).unwrap_or(false)
}

/// Has the browser ask before the page is left, as long as `is_at_stake` says so. Called once.
pub fn ask_before_leaving(is_at_stake: impl Fn() -> bool + 'static) {
    let ask = Closure::<dyn Fn(web_sys::Event)>::new(move |event: web_sys::Event| {
        if is_at_stake() {
            event.prevent_default();
        }
    });
    window().set_onbeforeunload(Some(ask.as_ref().unchecked_ref()));
    ask.forget();
}

/// Milliseconds since the page was opened.
pub fn now_ms() -> f64 {
    window()
        .performance()
        .map_or_else(js_sys::Date::now, |clock| clock.now())
}

/// Date and time where the visitor is.
pub fn date_and_time() -> String {
    let now = js_sys::Date::new_0();
    // JavaScript counts how far UTC is ahead.
    let ahead = -now.get_timezone_offset() as i32;
    format!(
        "{}-{:02}-{:02} {:02}:{:02} (UTC{}{:02}:{:02})",
        now.get_full_year(),
        now.get_month() + 1,
        now.get_date(),
        now.get_hours(),
        now.get_minutes(),
        if ahead < 0 { '\u{2212}' } else { '+' },
        ahead.abs() / 60,
        ahead.abs() % 60
    )
}

/// Lets the browser draw and hear before what follows.
pub async fn next_task() {
    let task = Promise::new(&mut |resolve, _| {
        // Without a timer what follows comes at once.
        if window().set_timeout_with_callback(&resolve).is_err() {
            let _ = resolve.call0(&JsValue::NULL);
        }
    });
    let _ = JsFuture::from(task).await;
}

fn element(id: &str) -> Option<Element> {
    window().document()?.get_element_by_id(id)
}

/// Takes an element of `index.html` away.
pub fn remove_element(id: &str) {
    if let Some(element) = element(id) {
        element.remove();
    }
}

/// Scrolls to an element.
pub fn show(id: &str) {
    if let Some(element) = element(id) {
        element.scroll_into_view();
    }
}

/// Says what the page is called, and in which language it speaks; `index.html` says it of the site.
pub fn name_page(language: &str, title: &str) {
    let Some(document) = window().document() else {
        return;
    };
    document.set_title(title);
    if let Some(root) = document.document_element() {
        // A page that says another language is read, if oddly.
        let _ = root.set_attribute("lang", language);
    }
}

/// Moves the focus to an element.
pub fn focus(id: &str) {
    let element = element(id).and_then(|element| element.dyn_into::<HtmlElement>().ok());
    if let Some(element) = element {
        // An element that can't have it leaves it where it is.
        let _ = element.focus();
    }
}

/// What the page's own address has from `#` on.
pub fn fragment() -> String {
    window().location().hash().unwrap_or_default()
}

/// Has the page's address end in this from `#` on, without going anywhere; where it `begins` something, the browser's Back leaves that.
pub fn set_fragment(fragment: &str, begins: bool) {
    // An address that can't be changed stays.
    let _ = window().history().and_then(|history| match begins {
        true => history.push_state_with_url(&JsValue::TRUE, "", Some(fragment)),
        false => history.replace_state_with_url(&history.state()?, "", Some(fragment)),
    });
}

/// Has the page's address end before `#`: goes back where [`set_fragment`] has begun something.
pub fn leave_fragment() {
    let location = window().location();
    let address = location.pathname().unwrap_or_default() + &location.search().unwrap_or_default();
    let _ = window()
        .history()
        .and_then(|history| match history.state()?.is_truthy() {
            true => history.back(),
            false => history.replace_state_with_url(&JsValue::NULL, "", Some(&address)),
        });
}

/// A parameter of the page's own address.
pub fn query_parameter(name: &str) -> Option<String> {
    let search = window().location().search().ok()?;
    UrlSearchParams::new_with_str(&search).ok()?.get(name)
}

/// `path` below the page's folder, as a whole address.
pub fn address(path: &str) -> String {
    let base = window()
        .document()
        .and_then(|document| document.base_uri().ok().flatten())
        .unwrap_or_default();
    Url::new_with_base(path, &base).map_or_else(|_| path.to_owned(), |url| url.href())
}

/// Fetches a file of the site.
///
/// # Errors
/// A sentence for people.
pub async fn fetch_bytes(path: &str) -> Result<Uint8Array, String> {
    let response = JsFuture::from(window().fetch_with_str(&address(path)))
        .await
        .map_err(|error| failure::not_fetched(path, &describe(&error)))?;
    let response: Response = response.unchecked_into();
    if !response.ok() {
        return Err(failure::fetched_status(path, response.status()));
    }
    let buffer = response.array_buffer().map_err(|error| describe(&error))?;
    let buffer = JsFuture::from(buffer)
        .await
        .map_err(|error| failure::broke_off(path, &describe(&error)))?;
    Ok(Uint8Array::new(&buffer))
}

/// Fetches a JSON file of the site.
///
/// # Errors
/// A sentence for people.
pub async fn fetch_json<T: serde::de::DeserializeOwned>(path: &str) -> Result<T, String> {
    let bytes = fetch_bytes(path).await?.to_vec();
    serde_json::from_slice(&bytes)
        .map_err(|error| failure::not_understood(path, &error.to_string()))
}

/// Reads a file that the visitor chose.
///
/// # Errors
/// What the browser says.
pub async fn read_file(file: &File) -> Result<Uint8Array, String> {
    let buffer = JsFuture::from(file.array_buffer())
        .await
        .map_err(|error| describe(&error))?;
    Ok(Uint8Array::new(&buffer.unchecked_into::<ArrayBuffer>()))
}

/// An address under which the page itself can save `bytes` of a media type; `None` if the browser has no room.
pub fn object_url(bytes: &Uint8Array, media_type: &str) -> Option<String> {
    let options = BlobPropertyBag::new();
    options.set_type(media_type);
    let parts = js_sys::Array::of1(bytes);
    let blob = Blob::new_with_u8_array_sequence_and_options(&parts, &options).ok()?;
    Url::create_object_url_with_blob(&blob).ok()
}

/// Gives back what [`object_url`] holds.
pub fn revoke_object_url(url: &str) {
    // Nothing can be done about a failure, and nothing depends on it.
    let _ = Url::revoke_object_url(url);
}
