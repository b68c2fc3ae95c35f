//! The page's frame.

use leptos::ev::MouseEvent;
use leptos::prelude::*;

use crate::browser;
use crate::components::{
    DropTarget, InsidePanel, Results, RunPanel, ScanPanel, SettingsPanel, ViewerPanel,
};
use crate::language::page;
use crate::session::Session;
use crate::state::State;
use crate::viewer::SharedViewer;

/// Puts the page in place of the text that `index.html` shows until then.
pub fn start() {
    console_error_panic_hook::set_once();
    browser::remove_element("starting");
    browser::name_page(page::LANGUAGE, page::TITLE);
    mount_to_body(App);
    browser::keep_focus();
}

/// The whole page.
#[component]
fn App() -> impl IntoView {
    let state = State::new();
    let session = Session::start(state);
    provide_context(state);
    provide_context(session);
    provide_context(SharedViewer::new_local(None));
    // The address stays that of what is shown.
    let skip = move |event: MouseEvent| {
        event.prevent_default();
        browser::focus("viewer");
    };
    view! {
        <a class="skip" href="#viewer" on:click=skip>{page::SKIP}</a>
        <Masthead/>
        <main>
            <div class="controls">
                <ScanPanel/>
                <SettingsPanel/>
                <RunPanel/>
            </div>
            <ViewerPanel/>
            <Results/>
            <InsidePanel/>
        </main>
        <footer>
            <p>{page::NOTICE}</p>
        </footer>
        <DropTarget/>
    }
}

/// Name of the product and what it promises.
#[component]
fn Masthead() -> impl IntoView {
    view! {
        <header>
            <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
                <path d="M16 3 28 9.5v13L16 29 4 22.5v-13Z"/>
                <path d="M4 9.5 16 16l12-6.5M16 16v13"/>
                <circle cx="16" cy="16" r="3.2"/>
            </svg>
            <div>
                <h1>"DINO-Med3D"</h1>
                <p>{page::PROMISE}</p>
            </div>
        </header>
    }
}
