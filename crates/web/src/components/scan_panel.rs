use std::rc::Rc;

use leptos::ev::Event;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;

use crate::browser;
use crate::components::results::warnings;
use crate::components::{Channels, ScanList, ScanOffers};
use crate::language::{numbers, scan as said};
use crate::session::Session;
use crate::state::{Scan, State};
use crate::words;
use crate::work::Sample;

/// Where a scan comes from, and what it is.
#[component]
pub fn ScanPanel() -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let is_locked = move || !state.can_change() || state.is_reading.get();
    let take = move |event: Event| {
        let Some(input) = event
            .target()
            .and_then(|target| target.dyn_into::<HtmlInputElement>().ok())
        else {
            return;
        };
        let files = input.files().map(|files| browser::chosen_files(&files));
        // A folder without files changes nothing.
        if let Some(files) = files.filter(|files| !files.is_empty()) {
            let paths: Vec<_> = files.iter().map(|file| &*file.path).collect();
            let name = words::files_name(&paths).to_owned();
            session.open_files(&name, std::future::ready(Ok(files)));
        }
        // So that choosing the same file again is a change again.
        input.set_value("");
    };

    let has_list = move || state.scans.with(|scans| !scans.is_empty());
    let samples = move || state.models.with(|models| Sample::offered(models));
    let sample_button = move |sample: Sample| {
        // The one for the chosen model; the only one also for any other model.
        let is_fitting =
            move || state.model_name.with(|chosen| chosen == sample.model) || samples().len() == 1;
        view! {
            <button
                type="button"
                data-testid=move || if is_fitting() { "sample" } else { "other-sample" }
                disabled=is_locked
                on:click=move |_| session.open_sample(sample)
            >
                {sample.title}
            </button>
        }
    };

    view! {
        <section class="panel" aria-labelledby="scan-heading">
            <h2 id="scan-heading">{said::HEADING}</h2>
            <div class="row sources">
                <label class="button" class:is-primary=move || state.scan.with(Option::is_none) class:is-disabled=is_locked>
                    <input
                        type="file"
                        data-testid="file-input"
                        aria-describedby="scan-hint"
                        multiple=true
                        disabled=is_locked
                        on:change=take
                    />
                    {said::OPEN}
                </label>
                <label class="button is-small" class:is-disabled=is_locked>
                    <input
                        type="file"
                        data-testid="folder-input"
                        aria-describedby="scan-hint"
                        prop:webkitdirectory=true
                        disabled=is_locked
                        on:change=take
                    />
                    {said::OPEN_FOLDER}
                </label>
                <For each=samples key=|sample| sample.file children=sample_button/>
            </div>
            <p class="hint" class:visually-hidden=move || state.scan.with(Option::is_some) id="scan-hint">{said::HINT}</p>
            {move || state.offers.get().map(|offers| view! { <ScanOffers offers/> })}
            <Show when=has_list>
                <ScanList/>
            </Show>
            <Channels/>
            {move || state.scan.get().map(|scan| view! { <ScanFacts scan/> })}
        </section>
    }
}

/// The open scan in a few lines.
#[component]
fn ScanFacts(scan: Rc<Scan>) -> impl IntoView {
    let info = scan.info.clone();
    let [columns, rows, slices] = info.shape;
    view! {
        <dl class="facts" data-testid="scan-facts">
            <dt>{said::FILE}</dt>
            <dd class="file-name">{scan.name.clone()}</dd>
            {info.description.map(|description| view! { <dt>{said::SERIES}</dt><dd class="file-name">{description}</dd> })}
            <dt>{said::VOXELS}</dt>
            <dd>{format!("{columns} × {rows} × {slices}")}</dd>
            <dt>{said::SPACING}</dt>
            <dd>{numbers::spacing(info.spacing_mm)}</dd>
            <dt>{said::AXES_AND_TYPE}</dt>
            <dd>{format!("{}, {}", info.orientation, info.datatype)}</dd>
        </dl>
        {warnings(&info.warnings)}
    }
}
