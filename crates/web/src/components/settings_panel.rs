use leptos::prelude::*;

use crate::components::Catalogue;
use crate::protocol::{BackendChoice, ModelInfo};
use crate::session::Session;
use crate::state::State;
use crate::words;
use crate::work::WorkerPhase;

/// Which model, and what it runs on.
#[component]
pub fn SettingsPanel() -> impl IntoView {
    view! {
        <section class="panel" aria-labelledby="settings-heading">
            <h2 id="settings-heading">"Model"</h2>
            <ModelSelect/>
            <Catalogue/>
            <BackendSelect/>
        </section>
    }
}

#[component]
fn ModelSelect() -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let options = move || {
        let chosen = state.model_name.get();
        state
            .models
            .get()
            .into_iter()
            .map(|model| {
                let is_chosen = model.name == chosen;
                view! { <option value=model.name selected=is_chosen>{model.title}</option> }
            })
            .collect_view()
    };
    view! {
        <div class="field">
            <label for="model">"Segments"</label>
            <select
                id="model"
                data-testid="model"
                aria-describedby="model-state"
                disabled=move || !state.can_change() || state.models.with(Vec::is_empty)
                on:change:target=move |event| session.choose_model(event.target().value())
            >
                {options}
            </select>
            {move || state.model.get().map(|model| view! { <ModelFacts info=model.info/> })}
            <div class="hint" id="model-state" data-testid="model-state">{move || model_state(state)}</div>
        </div>
    }
}

/// What scans the loaded model knows, and where its card and its document lie; of the visitor's own what it is known by.
#[component]
fn ModelFacts(info: ModelInfo) -> impl IntoView {
    let state = State::expect();
    let is_own = state.model_name.with_untracked(|name| words::is_own(name));
    let own = is_own.then(|| {
        let hash = info.weights_sha256.get(..16).unwrap_or_default();
        format!("Your own, on this device alone while the page is open. SHA-256 {hash}…")
    });
    let has_document = state.models.with(|models| {
        models
            .iter()
            .any(|model| model.name == info.name && model.has_document)
    });
    let document = format!("docs/{}.html", info.name);
    view! {
        <p class="hint" data-testid="model-facts">
            <strong>{format!("For {}. ", info.modality)}</strong>
            {own}
            {(!is_own).then(|| view! {
                <a href=format!("models/{}/README.md", info.name) target="_blank" rel="noopener">"About it"</a>
            })}
            {(has_document && !is_own).then(|| view! {
                " · "
                <a href=document target="_blank" rel="noopener" data-testid="model-document">"how it was judged"</a>
            })}
        </p>
    }
}

fn model_state(state: State) -> AnyView {
    let sentence = match (state.worker.get(), state.model.get()) {
        (WorkerPhase::Starting, _) => "Waiting for the worker.".to_owned(),
        (WorkerPhase::LoadingModel { received, total }, _) if total > 0 && received < total => {
            format!(
                "Loading, {} of {}.",
                words::size(received),
                words::size(total)
            )
        }
        (WorkerPhase::LoadingModel { total, .. }, _) if total > 0 => {
            "Checking it on this device.".to_owned()
        }
        (WorkerPhase::LoadingModel { .. }, _) => "Loading.".to_owned(),
        (WorkerPhase::Usable, Some(model)) => {
            let loaded = format!(
                "Version {}, loaded and checked in {}",
                model.info.version,
                words::elapsed(model.millis)
            );
            let differs = format!(
                "Differs from its known output by {:.0e} after one transformer block and {:.0e} after the whole network.",
                model.check_errors.first_block, model.check_errors.logits,
            );
            return view! {
                <details>
                    <summary>{loaded}</summary>
                    {differs}
                </details>
            }
            .into_any();
        }
        (WorkerPhase::Usable | WorkerPhase::Gone, _) => "Not loaded.".to_owned(),
    };
    sentence.into_any()
}

#[component]
fn BackendSelect() -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let option = move |choice: BackendChoice, text: &'static str| {
        view! {
            <option value=choice.as_str() selected=move || state.choice.get() == choice>
                {text}
            </option>
        }
    };
    let running = move || match state.backend.get() {
        Some(status) => view! {
            <strong>{format!("Runs on {}. ", status.backend.title())}</strong>
            {status.reason}
        }
        .into_any(),
        None if state.worker.get() == WorkerPhase::Gone => "Nothing runs.".into_any(),
        None => "Looking at what this device has.".into_any(),
    };
    view! {
        <div class="field">
            <label for="backend">"Compute on"</label>
            <select
                id="backend"
                data-testid="backend"
                aria-describedby="backend-reason"
                disabled=move || !state.can_change()
                on:change:target=move |event| session.choose_backend(BackendChoice::parse(&event.target().value()))
            >
                {option(BackendChoice::Automatic, "Automatic")}
                {option(BackendChoice::WebGpu, "WebGPU")}
                {option(BackendChoice::Cpu, "CPU")}
            </select>
            <p
                class="hint"
                id="backend-reason"
                data-testid="backend-reason"
                title=move || state.backend.get().and_then(|status| status.adapter)
            >
                {running}
            </p>
        </div>
    }
}
