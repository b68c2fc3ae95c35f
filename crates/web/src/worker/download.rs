//! Fetching a model's files: a download that breaks goes on where it stopped, where the site can do that.

use std::ops::ControlFlow;

use js_sys::{Array, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    ReadableStreamDefaultReader, RequestCache, RequestInit, Response, WorkerGlobalScope,
};

use super::outside::OutsideBytes;
use super::scope;
use super::thrown::describe;

#[wasm_bindgen(module = "/src/worker/parts.js")]
extern "C" {
    #[wasm_bindgen(js_name = keptParts)]
    async fn kept_parts(hash: &str) -> JsValue;

    #[wasm_bindgen(js_name = keepPart)]
    async fn keep_part(hash: &str, from: f64, bytes: &Uint8Array);

    #[wasm_bindgen(js_name = forgetParts)]
    async fn forget_parts();
}

/// A download that brings nothing so often, one time after the other, is given up.
const TRIES: u32 = 4;
/// Before the second try; each later one waits twice as long.
const PAUSE_MS: i32 = 400;
/// What has come is kept in parts of at least this.
const PART_BYTES: usize = 1 << 18;

/// How long a file is.
#[derive(Clone, Copy)]
pub enum Length {
    /// It is not read further.
    AtMost(u64),
    /// A shorter one has broken off.
    Exactly(u64),
}

/// A file to be fetched.
pub struct Download<'a> {
    address: &'a str,
    length: Length,
    hash: Option<&'a str>,
    is_anew: bool,
}

/// Why no more bytes come.
enum End {
    /// Another try may bring them.
    Broken(String),
    /// None would.
    Refused(String),
}

impl<'a> Download<'a> {
    /// Of this address.
    pub fn new(address: &'a str, length: Length) -> Self {
        Self {
            address,
            length,
            hash: None,
            is_anew: false,
        }
    }

    /// What comes is kept under the file's hash until [`Download::forget`]; what is there already is not fetched.
    pub fn keep_as(&mut self, hash: &'a str) {
        self.hash = Some(hash);
    }

    /// Nothing is kept of it any more.
    pub async fn forget(&self) {
        if self.hash.is_some() {
            forget_parts().await;
        }
    }

    /// What has come is wrong: the next time all is fetched from the site itself.
    pub async fn start_anew(&mut self) {
        self.forget().await;
        self.is_anew = true;
    }

    /// Fetches it, not into this program's memory, and calls `received` with the number of bytes so far; it may break the download off.
    ///
    /// # Errors
    /// What went wrong, as a sentence. A file that is too long is not read to its end.
    pub async fn get(
        &self,
        mut received: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<OutsideBytes, String> {
        let mut bytes = OutsideBytes::default();
        if let Some(hash) = self.hash {
            let parts: Array = kept_parts(hash).await.unchecked_into();
            for part in parts {
                bytes.push(Uint8Array::from(part));
            }
        }
        if bytes.len() as u64 > self.longest() {
            bytes.clear();
        }
        let mut kept = bytes.len();
        let (mut tries, mut most) = (0, bytes.len());
        while !self.is_whole(&bytes) {
            let end = self.stream(&mut bytes, &mut kept, &mut received).await;
            self.keep(&bytes, &mut kept, 1).await;
            let problem = match end {
                Ok(()) if self.is_whole(&bytes) || matches!(self.length, Length::AtMost(_)) => {
                    break;
                }
                Ok(()) => format!("{} ended after {} bytes.", self.address, bytes.len()),
                Err(End::Broken(problem)) => problem,
                Err(End::Refused(problem)) => return Err(problem),
            };
            tries = if bytes.len() > most { 1 } else { tries + 1 };
            most = most.max(bytes.len());
            // Where the file's hash is not known, what follows need not be of the same file.
            if self.hash.is_none() {
                bytes.clear();
            }
            if tries == TRIES {
                return Err(problem);
            }
            scope::pause(PAUSE_MS << (tries - 1)).await;
            if received(bytes.len() as u64).is_break() {
                return Err(self.unwanted());
            }
        }
        Ok(bytes)
    }

    fn longest(&self) -> u64 {
        match self.length {
            Length::AtMost(longest) | Length::Exactly(longest) => longest,
        }
    }

    fn is_whole(&self, bytes: &OutsideBytes) -> bool {
        matches!(self.length, Length::Exactly(length) if length == bytes.len() as u64)
    }

    fn unwanted(&self) -> String {
        format!("{} is not wanted any more.", self.address)
    }

    /// Adds what comes of the rest of the file, until it ends or breaks.
    async fn stream(
        &self,
        bytes: &mut OutsideBytes,
        kept: &mut usize,
        received: &mut impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<(), End> {
        let address = self.address;
        let broken = |error: JsValue| {
            End::Broken(format!(
                "{address} could not be fetched: {}.",
                describe(&error)
            ))
        };
        let response = self.ask(bytes.len()).await.map_err(broken)?;
        if !response.ok() {
            let problem = format!(
                "{address} could not be fetched: status {}.",
                response.status()
            );
            return Err(End::Refused(problem));
        }
        // A site that can't go on sends all of it.
        if response.status() != 206 {
            bytes.clear();
            *kept = 0;
        }
        let Some(body) = response.body() else {
            return Err(End::Refused(format!("{address} is empty.")));
        };
        let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
        loop {
            let step = JsFuture::from(reader.read()).await.map_err(broken)?;
            let part = |key: &str| Reflect::get(&step, &key.into());
            if part("done").map_err(broken)?.is_truthy() {
                return Ok(());
            }
            bytes.push(part("value").map_err(broken)?.unchecked_into());
            let longest = self.longest();
            if bytes.len() as u64 > longest {
                let problem =
                    format!("{address} is longer than the {longest} bytes it should have.");
                return Err(End::Refused(problem));
            }
            self.keep(bytes, kept, PART_BYTES).await;
            if received(bytes.len() as u64).is_break() {
                return Err(End::Refused(self.unwanted()));
            }
        }
    }

    /// Asks for the file from that byte on.
    async fn ask(&self, from: usize) -> Result<Response, JsValue> {
        let how = RequestInit::new();
        if from > 0 {
            let headers = web_sys::Headers::new()?;
            headers.set("Range", &format!("bytes={from}-"))?;
            how.set_headers(&headers);
        }
        if self.is_anew {
            how.set_cache(RequestCache::Reload);
        }
        let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
        let response = scope.fetch_with_str_and_init(self.address, &how);
        Ok(JsFuture::from(response).await?.unchecked_into())
    }

    /// Keeps what has come since the last time, if that is so much.
    async fn keep(&self, bytes: &OutsideBytes, kept: &mut usize, least: usize) {
        let Some(hash) = self.hash else { return };
        if bytes.len() >= *kept + least {
            keep_part(hash, *kept as f64, &bytes.tail(*kept)).await;
            *kept = bytes.len();
        }
    }
}
