use std::rc::Rc;

use dinomed3d_volume::Scan;
use dinomed3d_volume::statistics::mean;
use js_sys::Uint8Array;
use leptos::ev;
use leptos::prelude::*;

use crate::browser;
use crate::comparison::{Comparison, named};
use crate::components::results::saved;
use crate::components::{column_heads, label_row};
use crate::language::{compare, inside as said, numbers, page};
use crate::media_type;
use crate::protocol::{Curve, InsideView, NetworkSize, Part, Picture, Shows};
use crate::session::Session;
use crate::state::{Looked, State};
use crate::station::{PARTS, Station, Visit, part_called};
use crate::words;
use crate::work::Ask;

/// The tour inside the network, beside the scan.
#[component]
pub fn InsidePanel() -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    begin_by_address(state);
    follow_address(state, session);
    ask(state, session);
    keep_address(state);
    let station = Memo::new(move |_| state.visit.get().map(|visit| visit.station));
    let close = move |_| session.visit(None);
    view! {
        <section
            class="panel inside"
            aria-labelledby="inside-heading"
            data-testid="inside-panel"
            hidden=move || station.get().is_none()
        >
            <div class="row">
                <h2 id="inside-heading">{said::HEADING}</h2>
                <button type="button" class="is-small" data-testid="leave-inside" on:click=close>
                    {said::BACK}
                </button>
            </div>
            {move || station.get().map(|station| view! { <StationView station/> })}
        </section>
    }
}

/// A class opens a station by its address; it shows something as soon as there is a result.
fn begin_by_address(state: State) {
    if let Some((visit, at_mm)) = Visit::parse(&browser::fragment()) {
        state.visit.set(Some(visit));
        state.go_to.set(at_mm);
    }
}

/// The browser's Back and Forward leave the tour and come back to it.
fn follow_address(state: State, session: Session) {
    window_event_listener(ev::popstate, move |_| {
        let (visit, at_mm) = Visit::parse(&browser::fragment()).unzip();
        session.visit(visit);
        state.go_to.set(at_mm.flatten());
    });
}

/// Asks whatever the station and the crosshair say, once for each.
fn ask(state: State, session: Session) {
    let wanted = Memo::new(move |_| {
        let visit = state.visit.get()?;
        let location = if visit.station.follows_place() {
            state.location.get()
        } else {
            state.location.get_untracked()
        };
        state.has_logits.get().then_some(())?;
        Some(Ask {
            at_mm: location?.mm,
            question: visit.question(),
            without: visit.switched_off(),
        })
    });
    Effect::new(move |_| {
        if let Some(ask) = wanted.get() {
            session.look_inside(ask);
        }
    });
}

/// The page's address is the station's, for a teacher to pass on.
fn keep_address(state: State) {
    Effect::new(move |was_inside: Option<bool>| {
        let visit = state.visit.get();
        let at_mm = state.location.get().map(|location| location.mm);
        match visit {
            Some(visit) => {
                let begins = Visit::parse(&browser::fragment()).is_none();
                browser::set_fragment(&visit.address(at_mm), begins);
            }
            None if was_inside == Some(true) => browser::leave_fragment(),
            None => {}
        }
        visit.is_some()
    });
}

/// Where the document of a file in the project's sources is said; the method is a page of the site.
const METHOD: &str = "docs/method.html";

#[component]
fn StationView(station: Station) -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let words = station.words();
    let go = move |to: Station| {
        let visit = state.visit.get_untracked().unwrap_or(Visit::of(to));
        session.visit(Some(Visit {
            station: to,
            ..visit
        }));
    };
    let tab = move |(number, to): (usize, Station)| {
        view! {
            <button
                type="button"
                class="is-small"
                data-testid=format!("station-{}", to.name())
                aria-pressed=(to == station).to_string()
                aria-label=said::station(number, to.words().title)
                title=to.words().title
                on:click=move |_| go(to)
            >
                {number}
            </button>
        }
    };
    let beside = move |name: &'static str, to: Option<Station>| {
        view! {
            <button
                type="button"
                class="is-small"
                disabled=to.is_none()
                on:click=move |_| {
                    if let Some(to) = to {
                        go(to);
                    }
                }
            >
                {name}
            </button>
        }
    };
    let [before, after] = station.beside();
    view! {
        <div class="row stations" role="group" aria-label=said::STATIONS>
            {(1..).zip(Station::ALL).map(tab).collect_view()}
        </div>
        <h3 data-testid="station">{words.title}</h3>
        <Choices station/>
        <Answer station/>
        <p>{words.what}</p>
        <p><strong>{said::WHY}</strong>{words.why}</p>
        <p class="try"><strong>{said::TRY}</strong>{words.question}</p>
        <div class="row">
            {beside(said::BEFORE, before)}
            {beside(said::NEXT, after)}
        </div>
        <p class="hint">
            <a href=METHOD target="_blank" rel="noopener">{said::METHOD}</a>
            {said::COMPUTED_BY}
            <code>{station.file()}</code>
        </p>
        <p class="disclaimer">{page::NOTICE}</p>
    }
}

/// What there is to choose at a station.
#[component]
fn Choices(station: Station) -> impl IntoView {
    let state = State::expect();
    let session = expect_context::<Session>();
    let size = Memo::new(move |before: Option<&NetworkSize>| {
        let looked = state.inside.get();
        let size = looked.map(|looked| looked.view.network);
        size.or(before.copied()).unwrap_or_default()
    });
    let visit = move || state.visit.get().unwrap_or(Visit::of(station));
    let change = move |change: &dyn Fn(&mut Visit)| {
        let mut visit = state.visit.get_untracked().unwrap_or(Visit::of(station));
        change(&mut visit);
        session.visit(Some(visit));
    };
    let is_attention = station == Station::Attention;
    let first = usize::from(matches!(station, Station::Attention | Station::Adapters));
    let block = move || {
        visit()
            .block
            .unwrap_or(size.get().blocks)
            .min(size.get().blocks)
    };
    let block_name = move || match block() {
        0 => said::EMBEDDING.to_owned(),
        block if is_attention => said::block(block),
        block => said::after_block(block),
    };
    let blocks = station.has_blocks().then(|| {
        view! {
            <label>
                {said::BLOCK}
                <input
                    type="range"
                    data-testid="block"
                    min=first
                    max=move || size.get().blocks
                    step="1"
                    prop:value=block
                    aria-valuetext=block_name
                    on:input:target=move |event| {
                        let value = event.target().value().parse().ok();
                        change(&|visit| visit.block = value);
                    }
                />
                <output>{block_name}</output>
            </label>
        }
    });
    let heads = is_attention.then(|| {
        let options = move || {
            let head = visit().head;
            (1..=size.get().heads).map(|number| view! {
                <option value=number selected=head == Some(number)>{said::head(number)}</option>
            }).collect_view()
        };
        view! {
            <label>
                {said::OVER_THE_SCAN}
                <select data-testid="head" on:change:target=move |event| {
                    let value = event.target().value().parse().ok();
                    change(&|visit| visit.head = value);
                }>
                    <option value="" selected=move || visit().head.is_none()>{said::ALL_HEADS}</option>
                    {options}
                </select>
            </label>
        }
    });
    let threshold = (station == Station::Similarity).then(|| {
        view! {
            <label>
                {said::THRESHOLD}
                <input
                    type="range"
                    data-testid="threshold"
                    min="0"
                    max="95"
                    step="5"
                    prop:value=move || visit().threshold
                    on:input:target=move |event| {
                        let value = event.target().value().parse().unwrap_or(0);
                        change(&|visit| visit.threshold = value);
                    }
                />
                <output>{move || numbers::number(f64::from(visit().threshold) / 100.0, 2)}</output>
            </label>
        }
    });
    let levels = (station == Station::Detail).then(|| {
        let options = move || {
            let chosen = visit().level;
            let levels = size.get().levels;
            (1..=levels).map(|level| view! {
                <option value=level selected=chosen == Some(level)>{level_name(level, levels)}</option>
            }).collect_view()
        };
        view! {
            <label>
                {said::OVER_THE_SCAN}
                <select data-testid="detail-level" on:change:target=move |event| {
                    let value = event.target().value().parse().ok();
                    change(&|visit| visit.level = value);
                }>
                    {options}
                    <option value="" selected=move || visit().level.is_none()>{said::GATE}</option>
                </select>
            </label>
        }
    });
    let part = (station == Station::Parts).then(|| {
        let chosen = Signal::derive(move || Some(visit().part));
        let choose = move |part: Option<Part>| {
            if let Some(part) = part {
                change(&|visit| visit.part = part);
            }
        };
        view! { <PartChoice name=said::WITHOUT test="part" chosen on_choose=choose/> }
    });
    let switch = station.has_switch().then(|| {
        let chosen = Signal::derive(move || visit().without);
        let choose = move |part: Option<Part>| change(&|visit| visit.without = part);
        view! { <PartChoice name=said::SWITCHED_OFF test="without" none=said::NOTHING chosen on_choose=choose/> }
    });
    view! {
        <div class="inside-choices">{blocks}{heads}{threshold}{levels}{part}{switch}</div>
    }
}

#[component]
fn PartChoice(
    name: &'static str,
    test: &'static str,
    #[prop(optional)] none: Option<&'static str>,
    chosen: Signal<Option<Part>>,
    on_choose: impl Fn(Option<Part>) + 'static,
) -> impl IntoView {
    let none = none.map(|none| {
        view! { <option value="" selected=move || chosen.get().is_none()>{none}</option> }
    });
    let option = move |(part, value, title): (Part, &'static str, &'static str)| {
        view! { <option value=value selected=move || chosen.get() == Some(part)>{title}</option> }
    };
    view! {
        <label>
            {name}
            <select data-testid=test on:change:target=move |event| on_choose(part_called(&event.target().value()))>
                {none}
                {PARTS.into_iter().map(option).collect_view()}
            </select>
        </label>
    }
}

fn level_name(level: usize, levels: usize) -> String {
    match levels - level {
        0 => said::quarter_size(level),
        1 => said::half_size(level),
        _ => said::full_size(level),
    }
}

/// What the worker says.
#[component]
fn Answer(station: Station) -> impl IntoView {
    let state = State::expect();
    let under_way = move || {
        let looking = state.looking.get()?;
        Some(said::looking(100.0 * looking))
    };
    let missing = move || {
        if state.scan.with(Option::is_none) {
            return Some(said::OPEN_A_SCAN);
        }
        if state.run.with(Option::is_some) {
            return Some(said::AT_WORK);
        }
        if !state.has_logits.get() {
            return Some(said::PRESS_SEGMENT);
        }
        None
    };
    let is_busy = move || {
        let visit = state.visit.get().unwrap_or(Visit::of(station));
        let is_answer = |looked: &Rc<Looked>| {
            let ask = &looked.ask;
            ask.question == visit.question() && ask.without == visit.switched_off()
        };
        state.looking.with(Option::is_some) || !state.inside.get().as_ref().is_some_and(is_answer)
    };
    let found = move || {
        // An answer of the station before says nothing here.
        let looked = state.inside.get();
        let looked = looked.filter(|looked| Station::of(looked.ask.question) == station)?;
        let comparison = state.comparison.get();
        Some(view! { <Found station looked comparison/> })
    };
    view! {
        <div aria-live="polite" data-testid="inside-answer" data-station=station.name() data-busy=move || is_busy().to_string()>
            {move || missing().map(|missing| view! { <p class="hint">{missing}</p> })}
            // Every percent would be spoken.
            <p class="hint under-way" aria-live="off">{under_way}</p>
            {found}
        </div>
    }
}

#[component]
fn Found(
    station: Station,
    looked: Rc<Looked>,
    comparison: Option<Rc<Comparison>>,
) -> impl IntoView {
    let InsideView {
        pictures,
        curves,
        dice,
        proxy,
        network,
        token,
        ..
    } = looked.view.clone();
    let Some([slice, row, column]) = token else {
        return view! { <p class="warning">{said::OUTSIDE}</p> }.into_any();
    };
    let [slices, rows, columns] = network.tokens;
    let place = said::place(
        [slice + 1, slices],
        [row + 1, rows],
        [column + 1, columns],
        network.width,
        network.patch,
    );
    let stage1 = proxy.map_or(said::NO_STAGE_1.to_owned(), |proxy| {
        said::stage1(proxy.is_fitted, proxy.mean_dice, proxy.num_cases)
    });
    let picture = |picture: Picture| {
        let title = caption(&picture);
        let address = picture.address;
        view! {
            <figure>
                <img src=address alt=title.clone()/>
                <figcaption>{title}</figcaption>
            </figure>
        }
    };
    view! {
        <div class="inside-pictures">{pictures.into_iter().map(picture).collect_view()}</div>
        {(!curves.is_empty()).then(|| view! { <Curves curves slice/> })}
        {(!dice.is_empty()).then(|| {
            let map = comparison.as_deref().zip(looked.map.as_ref());
            let against = map.and_then(|(comparison, map)| against(comparison, map));
            view! { <DiceTable dice against/> }
        })}
        <p class="hint">{(station == Station::Proxy).then_some(stage1)}</p>
        <p class="hint">{station.follows_place().then_some(place)}</p>
        {looked.map.as_ref().map(|map| view! {
            <a
                class="button is-small"
                data-testid="download-inside"
                download=map_name(station)
                href=saved(map, media_type::NIFTI_GZIP)
            >
                {said::SAVE_MAP}
            </a>
        })}
    }
    .into_any()
}

fn caption(picture: &Picture) -> String {
    let number = picture.number;
    match picture.shows {
        Shows::Slice => said::slice(number),
        Shows::Together => said::TOGETHER.to_owned(),
        Shows::Head => said::looks(number, (100.0 * picture.elsewhere).round()),
        Shows::Stage => said::stage(number),
    }
}

/// What a curve is of.
fn network(curve: &Curve) -> &'static str {
    if curve.is_whole {
        said::WHOLE_NETWORK
    } else {
        said::WITHOUT_ADAPTERS
    }
}

/// File name of a station's map of the scan on screen.
fn map_name(station: Station) -> String {
    let outcome = State::expect().outcome.get_untracked();
    let stem = outcome
        .as_ref()
        .map_or("scan", |outcome| words::result_stem(&outcome.name));
    format!("{stem}_inside-{}.nii.gz", station.name())
}

/// How much each slice changes.
#[component]
fn Curves(curves: Vec<Curve>, slice: usize) -> impl IntoView {
    const SIZE: [f64; 2] = [300.0, 120.0];
    let count = curves.first().map_or(1, |curve| curve.values.len()).max(2);
    let most = curves.iter().flat_map(|curve| &curve.values);
    let most = most.copied().fold(f32::MIN_POSITIVE, f32::max);
    let place = move |at: usize, value: f32| {
        let x = SIZE[0] * at as f64 / (count - 1) as f64;
        let y = SIZE[1] * (1.0 - f64::from(value / most));
        format!("{x:.1},{y:.1}")
    };
    // A change of a thousandth is arithmetic.
    let hears = |curve: &Curve| curve.values.iter().filter(|value| **value > 1e-3).count();
    let heard = curves.iter();
    let heard = heard.map(|curve| said::hears(network(curve), hears(curve), count));
    let heard = heard.collect::<Vec<_>>().join("; ");
    let line = move |(index, curve): (usize, Curve)| {
        let points = curve.values.iter().enumerate();
        let points: Vec<_> = points.map(|(at, value)| place(at, *value)).collect();
        view! { <polyline class=format!("curve-{index}") points=points.join(" ")/> }
    };
    let key = |(index, title): (usize, String)| {
        view! { <li class=format!("curve-{index}")>{title}</li> }
    };
    let titles: Vec<String> = curves
        .iter()
        .map(|curve| network(curve).to_owned())
        .collect();
    let x = SIZE[0] * slice as f64 / (count - 1) as f64;
    view! {
        <figure class="curves" data-testid="curves">
            <svg viewBox=format!("0 0 {} {}", SIZE[0], SIZE[1]) role="img" aria-label=heard.clone() preserveAspectRatio="none">
                <line x1=x x2=x y1="0" y2=SIZE[1]/>
                {curves.into_iter().enumerate().map(line).collect_view()}
            </svg>
            <ul>{titles.into_iter().enumerate().map(key).collect_view()}</ul>
            <figcaption>{heard}"."</figcaption>
        </figure>
    }
}

/// Of labels of a map against the whole network's and, where a reference is loaded, of both against that.
#[component]
fn DiceTable(dice: Vec<(u8, f64)>, against: Option<Vec<(u8, [f64; 2])>>) -> impl IntoView {
    const HEADS: [(&str, Option<&str>); 4] = [
        (page::LABEL, None),
        (compare::DICE, None),
        (said::AGAINST_REFERENCE, None),
        (said::RESULT_AGAINST_REFERENCE, None),
    ];
    let labels = State::expect().outcome_labels();
    let mean = mean(dice.iter().map(|(_, dice)| *dice)).unwrap_or(f64::NAN);
    let heads = &HEADS[..if against.is_some() { 4 } else { 2 }];
    let row = move |(value, dice): (u8, f64)| {
        let label = named(&labels, value);
        let mut cells = vec![Some(dice)];
        if let Some(against) = &against {
            let scores = against.iter().find(|(of, _)| *of == value);
            cells.extend(scores.map_or([None; 2], |(_, scores)| scores.map(Some)));
        }
        let cell = |dice: Option<f64>| {
            let dice = dice.map_or("–".to_owned(), |dice| numbers::number(dice, 3));
            (None, dice)
        };
        let cells = cells.into_iter().map(cell).collect();
        label_row(label.color, label.name, None, cells)
    };
    view! {
        <table data-testid="inside-dice">
            <caption>{said::dice(mean)}</caption>
            <thead><tr>{column_heads(heads)}</tr></thead>
            <tbody>{dice.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
}

/// Dice of a map of labels, and of the result where it lies, against the reference.
fn against(comparison: &Comparison, map: &Uint8Array) -> Option<Vec<(u8, [f64; 2])>> {
    let map = Scan::open(&map.to_vec(), None).ok()?.label_map().ok()?;
    Some(comparison.dice_within(&map))
}
