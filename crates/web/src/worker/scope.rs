//! The worker's global scope, bound through `scope.js`.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

use super::protocol::{Failure, FromWorker, JobId, ToWorker};

#[wasm_bindgen(module = "/src/worker/scope.js")]
extern "C" {
    #[wasm_bindgen(js_name = turn)]
    async fn turn_js();

    #[wasm_bindgen(js_name = pause)]
    async fn pause_js(ms: i32);

    #[wasm_bindgen(js_name = post)]
    fn post_js(message: &str, bytes: Option<&Uint8Array>);

    #[wasm_bindgen(js_name = listen)]
    fn listen_js(handler: &Closure<dyn Fn(String, Option<Uint8Array>)>);

    #[wasm_bindgen(js_name = findAdapter)]
    async fn find_adapter_js() -> JsValue;
}

/// A WebGPU adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// What the browser tells of it.
    pub name: String,
    /// Whether the CPU plays its part.
    pub is_software: bool,
    /// Whether it has `timestamp-query`, without which Burn's runtime panics.
    pub has_timestamps: bool,
}

/// Lets messages in that have arrived meanwhile.
pub async fn turn() {
    turn_js().await;
}

/// Says something to the page.
pub fn post(message: &FromWorker) {
    let text =
        serde_json::to_string(message).expect("a message has no map with odd keys and is JSON");
    post_js(&text, None);
}

/// Says something to the page and gives it a file.
pub fn post_with(message: &FromWorker, bytes: &[u8]) {
    post_array(message, &Uint8Array::from(bytes));
}

/// Says something and gives away an array with all that lies in its buffer.
pub fn post_array(message: &FromWorker, bytes: &Uint8Array) {
    let text =
        serde_json::to_string(message).expect("a message has no map with odd keys and is JSON");
    post_js(&text, Some(bytes));
}

/// Says that something went wrong, with the worker able to go on.
pub fn post_failure(job: JobId, what: impl Into<String>, advice: impl Into<String>) {
    post(&FromWorker::Failed {
        job: Some(job),
        failure: Failure {
            what: what.into(),
            advice: advice.into(),
            is_fatal: false,
        },
    });
}

/// Says that the worker can't go on.
pub fn post_end(what: impl Into<String>, advice: impl Into<String>) {
    post(&FromWorker::Failed {
        job: None,
        failure: Failure {
            what: what.into(),
            advice: advice.into(),
            is_fatal: true,
        },
    });
}

/// Hears the page from now on, for the worker's whole life.
pub fn listen(handler: impl Fn(ToWorker, Option<Uint8Array>) + 'static) {
    let handler =
        Closure::<dyn Fn(String, Option<Uint8Array>)>::new(move |message: String, bytes| {
            match serde_json::from_str(&message) {
                Ok(message) => handler(message, bytes),
                Err(error) => post_end(
                    format!("The page asked for something unknown: {error}"),
                    "Reload the page: it may be older than its worker.",
                ),
            }
        });
    listen_js(&handler);
    handler.forget();
}

/// Asks the browser for its WebGPU adapter.
///
/// # Errors
/// Why there is none, as a sentence.
pub async fn find_adapter() -> Result<Adapter, String> {
    let found = find_adapter_js().await;
    let part = |key: &str| Reflect::get(&found, &key.into()).unwrap_or(JsValue::UNDEFINED);
    if let Some(problem) = part("problem").as_string() {
        return Err(problem);
    }
    Ok(Adapter {
        name: part("name").as_string().unwrap_or_default(),
        is_software: part("isSoftware").is_truthy(),
        has_timestamps: part("hasTimestamps").is_truthy(),
    })
}

/// Comes back after so many milliseconds.
pub async fn pause(ms: i32) {
    pause_js(ms).await;
}

/// Processors that the browser tells of.
pub fn cores() -> usize {
    let cores = worker_scope().navigator().hardware_concurrency();
    (cores as usize).max(1)
}

/// The worker's own address with another query.
pub fn address(query: &str) -> String {
    let own = worker_scope().location();
    format!("{}{}?{query}", own.origin(), own.pathname())
}

fn worker_scope() -> web_sys::WorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Milliseconds on the worker's clock.
pub fn now_ms() -> f64 {
    worker_scope()
        .performance()
        .map_or_else(js_sys::Date::now, |clock| clock.now())
}

/// Seconds since 1970 in the visitor's time zone.
pub fn local_seconds() -> i64 {
    let now = js_sys::Date::new_0();
    (now.get_time() / 1e3 - 60.0 * now.get_timezone_offset()) as i64
}

/// A parameter of the worker's own address.
pub fn query_parameter(name: &str) -> Option<String> {
    let search = worker_scope().location().search();
    web_sys::UrlSearchParams::new_with_str(&search)
        .ok()?
        .get(name)
}
