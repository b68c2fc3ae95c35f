use js_sys::Uint8Array;
use leptos::prelude::*;

use crate::components::Catalogue;
use crate::components::results::saved;
use crate::language::model as said;
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
            <div class="heading">
                <h2 id="settings-heading">{said::HEADING}</h2>
                <Catalogue/>
            </div>
            <ModelSelect/>
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
    // A long one is cut off in the control.
    let title = move || {
        let chosen = state.model_name.get();
        let models = state.models.get().into_iter();
        let mut titles = models.filter(|model| model.name == chosen);
        titles.next().map_or_else(String::new, |model| model.title)
    };
    view! {
        <div class="field">
            <label for="model">{said::SEGMENTS}</label>
            <select
                id="model"
                data-testid="model"
                title=title
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
        said::own(hash) + " "
    });
    // A model of the visitor's own may lack a card.
    let card = match &info.card {
        Some(card) => {
            let card = Uint8Array::from(card.as_bytes());
            Some(saved(&card, "text/plain;charset=utf-8"))
        }
        None => (!is_own).then(|| format!("models/{}/README.md", info.name)),
    };
    let has_document = state.models.with(|models| {
        models
            .iter()
            .any(|model| model.name == info.name && model.has_document)
    });
    let document = format!("docs/{}.html", info.name);
    view! {
        <p class="hint" data-testid="model-facts">
            <strong>{said::for_scans(&info.modality)}</strong>
            {own}
            {card.map(|card| view! {
                <a href=card target="_blank" rel="noopener" data-testid="model-card">{said::ABOUT}</a>
            })}
            {(has_document && !is_own).then(|| view! {
                " · "
                <a href=document target="_blank" rel="noopener" data-testid="model-document">{said::JUDGED}</a>
            })}
        </p>
    }
}

fn model_state(state: State) -> AnyView {
    let sentence = match (state.worker.get(), state.model.get()) {
        (WorkerPhase::Starting, _) => said::WAITING.to_owned(),
        (WorkerPhase::LoadingModel { received, total }, _) if total > 0 && received < total => {
            said::loading_bytes(&words::size(received), &words::size(total))
        }
        (WorkerPhase::LoadingModel { total, .. }, _) if total > 0 => said::CHECKING.to_owned(),
        (WorkerPhase::LoadingModel { .. }, _) => said::LOADING.to_owned(),
        (WorkerPhase::Usable, Some(model)) => {
            let loaded = said::loaded(&model.info.version, &words::elapsed(model.millis));
            let errors = model.check_errors;
            let differs = said::differs(errors.first_block, errors.logits);
            let half = errors.is_half.then_some(said::IN_HALF);
            return view! {
                <details>
                    <summary>{loaded}</summary>
                    {differs}
                    {half}
                </details>
            }
            .into_any();
        }
        (WorkerPhase::Usable | WorkerPhase::Gone, _) => said::NOT_LOADED.to_owned(),
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
            <strong>{said::runs_on(status.backend.title())}</strong>
            {status.reason}
        }
        .into_any(),
        None if state.worker.get() == WorkerPhase::Gone => said::NOTHING_RUNS.into_any(),
        None => said::LOOKING.into_any(),
    };
    view! {
        <div class="field">
            <label for="backend">{said::COMPUTE_ON}</label>
            <select
                id="backend"
                data-testid="backend"
                aria-describedby="backend-reason"
                disabled=move || !state.can_change()
                on:change:target=move |event| session.choose_backend(BackendChoice::parse(&event.target().value()))
            >
                {option(BackendChoice::Automatic, said::AUTOMATIC)}
                {option(BackendChoice::WebGpu, said::WEBGPU)}
                {option(BackendChoice::Cpu, said::CPU)}
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
