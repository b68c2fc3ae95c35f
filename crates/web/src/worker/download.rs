//! Fetching a model's files: a download that breaks goes on where it stopped, where the site can do that, and a part that is not what
//! it should be is fetched once more.

use std::ops::ControlFlow;

use dinomed3d_core::manifest::WeightChunks;
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
    chunks: Option<&'a WeightChunks>,
    is_anew: bool,
}

/// Why no more bytes come.
enum End {
    /// Another try may bring them.
    Broken(String),
    /// None would.
    Refused(Lost),
}

/// Why a file could not be had.
pub struct Lost {
    /// As a sentence.
    pub what: String,
    /// Whether it came, and is not what it should be.
    pub is_damaged: bool,
}

impl Lost {
    fn new(what: String) -> Self {
        Self {
            what,
            is_damaged: false,
        }
    }
}

/// A file as far as it has come.
#[derive(Default)]
struct Coming {
    bytes: OutsideBytes,
    /// How many chunks are known to be what they should be; nothing before them is in doubt.
    verified: usize,
    /// How many bytes are kept for another visit.
    kept: usize,
}

impl Coming {
    fn forget(&mut self) {
        *self = Self::default();
    }
}

impl<'a> Download<'a> {
    /// Of this address.
    pub fn new(address: &'a str, length: Length) -> Self {
        Self {
            address,
            length,
            hash: None,
            chunks: None,
            is_anew: false,
        }
    }

    /// Every part of it is compared with its checksum as soon as it has come.
    pub fn verify_by(&mut self, chunks: Option<&'a WeightChunks>) {
        self.chunks = chunks;
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
    /// What went wrong. A file that is too long is not read to its end.
    pub async fn get(
        &self,
        mut received: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<OutsideBytes, Lost> {
        let mut coming = Coming::default();
        if let Some(hash) = self.hash {
            let parts: Array = kept_parts(hash).await.unchecked_into();
            for part in parts {
                coming.bytes.push(Uint8Array::from(part));
            }
        }
        if coming.bytes.len() as u64 > self.longest() {
            coming.forget();
        }
        coming.kept = coming.bytes.len();
        self.verify(&mut coming).await?;
        let (mut tries, mut most) = (0, coming.bytes.len());
        while !self.is_whole(&coming.bytes) {
            let end = self.stream(&mut coming, &mut received).await;
            self.keep(&mut coming, 1).await;
            let bytes = &coming.bytes;
            let problem = match end {
                Ok(()) if self.is_whole(bytes) || matches!(self.length, Length::AtMost(_)) => {
                    break;
                }
                Ok(()) => format!("{} ended after {} bytes.", self.address, bytes.len()),
                Err(End::Broken(problem)) => problem,
                Err(End::Refused(lost)) => return Err(lost),
            };
            tries = if bytes.len() > most { 1 } else { tries + 1 };
            most = most.max(bytes.len());
            // Where the file's hash is not known, what follows need not be of the same file.
            if self.hash.is_none() {
                coming.forget();
            }
            if tries == TRIES {
                return Err(Lost::new(problem));
            }
            scope::pause(PAUSE_MS << (tries - 1)).await;
            if received(coming.bytes.len() as u64).is_break() {
                return Err(self.unwanted());
            }
        }
        Ok(coming.bytes)
    }

    fn longest(&self) -> u64 {
        match self.length {
            Length::AtMost(longest) | Length::Exactly(longest) => longest,
        }
    }

    fn is_whole(&self, bytes: &OutsideBytes) -> bool {
        matches!(self.length, Length::Exactly(length) if length == bytes.len() as u64)
    }

    fn unwanted(&self) -> Lost {
        Lost::new(format!("{} is not wanted any more.", self.address))
    }

    /// Adds what comes of the rest of the file, until it ends or breaks.
    async fn stream(
        &self,
        coming: &mut Coming,
        received: &mut impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<(), End> {
        let address = self.address;
        let from = coming.bytes.len();
        let range = (from > 0).then(|| format!("bytes={from}-"));
        let response = self.ask(range, self.is_anew).await?;
        // A site that can't go on sends all of it.
        if response.status() != 206 {
            coming.forget();
        }
        let reader = self.reader(&response)?;
        while let Some(part) = self.next(&reader).await? {
            coming.bytes.push(part);
            let longest = self.longest();
            if coming.bytes.len() as u64 > longest {
                let problem =
                    format!("{address} is longer than the {longest} bytes it should have.");
                return Err(End::Refused(Lost::new(problem)));
            }
            self.verify(coming).await.map_err(End::Refused)?;
            self.keep(coming, PART_BYTES).await;
            if received(coming.bytes.len() as u64).is_break() {
                return Err(End::Refused(self.unwanted()));
            }
        }
        Ok(())
    }

    /// Compares the chunks that have come since the last time with their checksums. One that is another is fetched once more.
    async fn verify(&self, coming: &mut Coming) -> Result<(), Lost> {
        let Some(chunks) = self.chunks else {
            return Ok(());
        };
        while coming.verified < chunks.sha256.len() {
            let place = coming.verified;
            let range = chunks.range(place, self.longest());
            let (from, to) = (range.start as usize, range.end as usize);
            if coming.bytes.len() < to {
                break;
            }
            let chunk = coming.bytes.slice(from, to);
            if chunks.verify(place, &chunk.to_vec()).is_err() {
                // What was kept of it is wrong too.
                coming.kept = coming.kept.min(from);
                let again = self.part(from, to).await.map_err(Lost::new)?;
                if let Err(problem) = chunks.verify(place, &again.to_vec()) {
                    return Err(Lost {
                        what: format!("{}: {problem}. It was fetched twice.", self.address),
                        is_damaged: true,
                    });
                }
                coming.bytes.overwrite(from, &again);
            }
            coming.verified += 1;
        }
        Ok(())
    }

    /// Those bytes from the site itself, past all that is kept; of a site that can only send all of it, of all.
    async fn part(&self, from: usize, to: usize) -> Result<Uint8Array, String> {
        let range = Some(format!("bytes={from}-{}", to - 1));
        let problem = |end| match end {
            End::Broken(problem) => problem,
            End::Refused(lost) => lost.what,
        };
        let response = self.ask(range, true).await.map_err(problem)?;
        let skipped = if response.status() == 206 { 0 } else { from };
        let reader = self.reader(&response).map_err(problem)?;
        let mut bytes = OutsideBytes::default();
        while bytes.len() < skipped + to - from {
            match self.next(&reader).await.map_err(problem)? {
                Some(part) => bytes.push(part),
                None => {
                    return Err(format!(
                        "{} ended after {} bytes.",
                        self.address,
                        bytes.len()
                    ));
                }
            }
        }
        // Whoever sends more is not listened to.
        let _ = JsFuture::from(reader.cancel()).await;
        Ok(bytes.slice(skipped, skipped + to - from))
    }

    fn broken(&self, error: &JsValue) -> End {
        let (address, error) = (self.address, describe(error));
        End::Broken(format!("{address} could not be fetched: {error}."))
    }

    /// Asks for the file, or that range of it.
    async fn ask(&self, range: Option<String>, is_anew: bool) -> Result<Response, End> {
        let asked = async {
            let how = RequestInit::new();
            if let Some(range) = range {
                let headers = web_sys::Headers::new()?;
                headers.set("Range", &range)?;
                how.set_headers(&headers);
            }
            if is_anew {
                how.set_cache(RequestCache::Reload);
            }
            let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
            let response = scope.fetch_with_str_and_init(self.address, &how);
            JsFuture::from(response).await
        };
        let response: Response = match asked.await {
            Ok(response) => response.unchecked_into(),
            Err(error) => return Err(self.broken(&error)),
        };
        if !response.ok() {
            let problem = format!(
                "{} could not be fetched: status {}.",
                self.address,
                response.status()
            );
            return Err(End::Refused(Lost::new(problem)));
        }
        Ok(response)
    }

    fn reader(&self, response: &Response) -> Result<ReadableStreamDefaultReader, End> {
        match response.body() {
            Some(body) => Ok(body.get_reader().unchecked_into()),
            None => Err(End::Refused(Lost::new(format!(
                "{} is empty.",
                self.address
            )))),
        }
    }

    /// What comes next; none at the end.
    async fn next(&self, reader: &ReadableStreamDefaultReader) -> Result<Option<Uint8Array>, End> {
        let step = async {
            let step = JsFuture::from(reader.read()).await?;
            if Reflect::get(&step, &"done".into())?.is_truthy() {
                return Ok(None);
            }
            Reflect::get(&step, &"value".into()).map(|value| Some(value.unchecked_into()))
        };
        step.await.map_err(|error: JsValue| self.broken(&error))
    }

    /// Keeps what has come since the last time, if that is so much; of chunks only those that are what they should be.
    async fn keep(&self, coming: &mut Coming, least: usize) {
        let Some(hash) = self.hash else { return };
        let end = match self.chunks {
            Some(chunks) if coming.verified < chunks.sha256.len() => {
                coming.verified * chunks.bytes as usize
            }
            _ => coming.bytes.len(),
        };
        if end >= coming.kept + least {
            let part = coming.bytes.slice(coming.kept, end);
            keep_part(hash, coming.kept as f64, &part).await;
            coming.kept = end;
        }
    }
}
