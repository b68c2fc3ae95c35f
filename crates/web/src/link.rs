//! A running worker.

use js_sys::{Array, ArrayBuffer, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};

use super::protocol::{FromWorker, ToWorker};
use super::thrown;

/// A worker and the page's ears on it. Dropping it ends the worker.
pub struct Link {
    worker: Worker,
    _on_message: Closure<dyn Fn(MessageEvent)>,
    _on_error: Closure<dyn Fn(ErrorEvent)>,
}

impl Link {
    /// Starts the worker at `address`; `on_broken` hears of errors that it couldn't report itself.
    ///
    /// # Errors
    /// What the browser says.
    pub fn start(
        address: &str,
        on_message: impl Fn(FromWorker, Option<ArrayBuffer>) + 'static,
        on_broken: impl Fn(String) + Clone + 'static,
    ) -> Result<Self, String> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(address, &options)
            .map_err(|error| thrown::describe(&error))?;

        let broken = on_broken.clone();
        let on_message =
            Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
                match open(&event.data()) {
                    Ok((message, bytes)) => on_message(message, bytes),
                    Err(problem) => broken(problem),
                }
            });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));

        let on_error = Closure::<dyn Fn(ErrorEvent)>::new(move |event: ErrorEvent| {
            event.prevent_default();
            // A script that can't be fetched comes as a bare event without a message.
            let said = Reflect::get(&event, &"message".into())
                .ok()
                .and_then(|message| message.as_string());
            on_broken(said.unwrap_or_else(|| "its program could not be loaded".to_owned()));
        });
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));

        Ok(Self {
            worker,
            _on_message: on_message,
            _on_error: on_error,
        })
    }

    /// Sends a message, with a copy of `bytes` transferred beside it.
    ///
    /// # Errors
    /// What the browser says, such as that it has no memory for the copy.
    pub fn send(&self, message: &ToWorker, bytes: Option<&Uint8Array>) -> Result<(), String> {
        let text = serde_json::to_string(message).map_err(|error| error.to_string())?;
        let envelope = Object::new();
        let transfer = Array::new();
        let put = |key: &str, value: &JsValue| Reflect::set(&envelope, &key.into(), value);
        let sent = put("message", &text.into()).and_then(|_| {
            if let Some(bytes) = bytes {
                let copy = bytes.slice(0, bytes.length()).buffer();
                put("bytes", &copy)?;
                transfer.push(&copy);
            }
            self.worker.post_message_with_transfer(&envelope, &transfer)
        });
        sent.map_err(|error| thrown::describe(&error))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

fn open(envelope: &JsValue) -> Result<(FromWorker, Option<ArrayBuffer>), String> {
    let part = |key: &str| Reflect::get(envelope, &key.into()).unwrap_or(JsValue::UNDEFINED);
    let text = part("message")
        .as_string()
        .ok_or_else(|| "it sent something that is no message".to_owned())?;
    let message = serde_json::from_str(&text)
        .map_err(|error| format!("it sent an unknown message: {error}"))?;
    Ok((message, part("bytes").dyn_into().ok()))
}
