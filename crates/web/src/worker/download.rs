//! Fetching a model's files.

use std::ops::ControlFlow;

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, Response, WorkerGlobalScope};

/// Fetches `address` and calls `received` with the number of bytes so far; it may break the download off.
///
/// # Errors
/// What went wrong, as a sentence. A file longer than `longest` is not read to its end.
pub async fn download(
    address: &str,
    longest: u64,
    mut received: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Vec<u8>, String> {
    let failed = |error: JsValue| {
        let said = error.dyn_ref::<js_sys::Error>().map_or_else(
            || format!("{error:?}"),
            |error| String::from(error.message()),
        );
        format!("{address} could not be fetched: {said}.")
    };
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    let response: Response = JsFuture::from(scope.fetch_with_str(address))
        .await
        .map_err(failed)?
        .unchecked_into();
    if !response.ok() {
        return Err(format!(
            "{address} could not be fetched: status {}.",
            response.status()
        ));
    }
    let Some(body) = response.body() else {
        return Err(format!("{address} is empty."));
    };
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    let mut bytes = Vec::new();
    loop {
        let step = JsFuture::from(reader.read()).await.map_err(failed)?;
        if Reflect::get(&step, &"done".into())
            .map_err(failed)?
            .is_truthy()
        {
            return Ok(bytes);
        }
        let chunk: Uint8Array = Reflect::get(&step, &"value".into())
            .map_err(failed)?
            .unchecked_into();
        bytes.extend_from_slice(&chunk.to_vec());
        if bytes.len() as u64 > longest {
            return Err(format!(
                "{address} is longer than the {longest} bytes it should have."
            ));
        }
        if received(bytes.len() as u64).is_break() {
            return Err(format!("{address} is not wanted any more."));
        }
    }
}
