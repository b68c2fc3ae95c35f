use std::collections::BTreeSet;

use dinomed3d_volume::Label;
use leptos::ev::{Event, KeyboardEvent};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;

use crate::browser;
use crate::language::legend as said;
use crate::structures::{self, Group, StructureLabels};

/// Colour key of the label map; a box hides and shows labels. Labels of several groups are in rows that can be searched, with a box
/// for each side; fewer are a plain list.
#[component]
pub fn LabelLegend(
    #[prop(into)] labels: Signal<Vec<Label>>,
    #[prop(into)] hidden: Signal<BTreeSet<u8>>,
    /// Told which labels are to be shown (true) or hidden.
    #[prop(into)]
    on_show: Callback<(Vec<u8>, bool)>,
) -> impl IntoView {
    let groups = Memo::new(move |_| labels.with(|labels| structures::grouped(labels)));
    let is_plain = Memo::new(move |_| groups.with(|groups| groups.len() == 1));
    view! {
        <div class="legend" class:is-long=move || !is_plain.get() data-testid="legend">
            {move || {
                if is_plain.get() {
                    view! { <PlainLegend labels hidden on_show/> }.into_any()
                } else {
                    view! { <GroupedLegend groups hidden on_show/> }.into_any()
                }
            }}
        </div>
    }
}

/// A label's colour.
#[component]
pub fn Swatch(color: [u8; 3]) -> impl IntoView {
    let [red, green, blue] = color;
    view! {
        <span class="swatch" style:background-color=format!("rgb({red} {green} {blue})") aria-hidden="true"></span>
    }
}

#[component]
fn PlainLegend(
    labels: Signal<Vec<Label>>,
    hidden: Signal<BTreeSet<u8>>,
    on_show: Callback<(Vec<u8>, bool)>,
) -> impl IntoView {
    let item = move |label: Label| {
        view! {
            <li>
                <label>
                    <ShownBox values=vec![label.value] hidden on_show/>
                    <Swatch color=label.color/>
                    {label.name}
                </label>
            </li>
        }
    };
    view! {
        <ul aria-label=said::NAME>
            <For each=move || labels.get() key=|label| (label.value, label.name.clone()) children=item/>
        </ul>
    }
}

/// A row of the legend.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    /// The row's own, also of its first box's element; the others' have their column behind it.
    id: String,
    name: String,
    color: Option<[u8; 3]>,
    /// The labels of all of it.
    values: Vec<u8>,
    /// Left and right.
    sides: Vec<Label>,
}

impl Row {
    fn box_id(&self, column: usize) -> String {
        format!("{}-{column}", self.id)
    }

    /// The first box is all of the row, those after it its sides.
    fn num_columns(&self) -> usize {
        1 + self.sides.len()
    }
}

/// All, and below it each group with its structures.
fn rows(groups: &[Group]) -> Vec<Row> {
    let values = |group: &Group| -> Vec<u8> {
        let structures = group.structures.iter();
        structures
            .flat_map(|structure| structure.values())
            .collect()
    };
    let heading = |id: String, name: &str, values: Vec<u8>| Row {
        id,
        name: name.to_owned(),
        color: None,
        values,
        sides: Vec::new(),
    };
    let mut rows = Vec::new();
    if !groups.is_empty() {
        let all = groups.iter().flat_map(values).collect();
        rows.push(heading("legend-all".to_owned(), said::ALL, all));
    }
    for group in groups {
        let id = format!("legend-{}", group.name.to_lowercase().replace(' ', "-"));
        rows.push(heading(id, group.name, values(group)));
        for structure in &group.structures {
            let sides = match &structure.labels {
                StructureLabels::One(_) => Vec::new(),
                StructureLabels::Pair(left, right) => vec![left.clone(), right.clone()],
            };
            let values = structure.values();
            rows.push(Row {
                id: format!("legend-{}", values[0]),
                name: structure.name.clone(),
                color: Some(structure.color()),
                values,
                sides,
            });
        }
    }
    rows
}

/// Row and column of a box.
type Place = (usize, usize);

/// Where a key leads to from a box.
fn next_place((row, column): Place, key: &str, rows: &[Row]) -> Option<Place> {
    let last_row = rows.len().checked_sub(1)?;
    let last_column = rows.get(row)?.num_columns() - 1;
    let (row, column) = match key {
        "ArrowUp" => (row.saturating_sub(1), column),
        "ArrowDown" => ((row + 1).min(last_row), column),
        "ArrowLeft" => (row, column.saturating_sub(1)),
        "ArrowRight" => (row, (column + 1).min(last_column)),
        "Home" => (0, 0),
        "End" => (last_row, 0),
        _ => return None,
    };
    Some((row, column.min(rows[row].num_columns() - 1)))
}

#[component]
fn GroupedLegend(
    groups: Memo<Vec<Group>>,
    hidden: Signal<BTreeSet<u8>>,
    on_show: Callback<(Vec<u8>, bool)>,
) -> impl IntoView {
    let query = RwSignal::new(String::new());
    let found = Memo::new(move |_| groups.with(|groups| structures::found(groups, &query.read())));
    let rows = Memo::new(move |_| found.with(|found| rows(found)));
    // The one box that Tab leads to; arrow keys lead to the others, which would else be dozens of stops on the way to what is
    // behind the legend.
    let stop = RwSignal::new(String::new());
    let tab_stop = Memo::new(move |_| {
        rows.with(|rows| {
            let is_there =
                |row: &Row| (0..row.num_columns()).any(|column| row.box_id(column) == *stop.read());
            let first = rows.first().map(|row| row.box_id(0)).unwrap_or_default();
            if rows.iter().any(is_there) {
                stop.get()
            } else {
                first
            }
        })
    });
    let on_key = move |event: KeyboardEvent| {
        rows.with_untracked(|rows| {
            let here = rows.iter().enumerate().find_map(|(place, row)| {
                let is_here = |column: &usize| row.box_id(*column) == *tab_stop.read_untracked();
                let column = (0..row.num_columns()).find(is_here)?;
                Some((place, column))
            });
            let next = here.and_then(|here| next_place(here, &event.key(), rows));
            if let Some((row, column)) = next {
                event.prevent_default();
                browser::focus(&rows[row].box_id(column));
            }
        });
    };
    let row = move |row: Row| {
        let boxes: Vec<String> = (0..row.num_columns())
            .map(|column| row.box_id(column))
            .collect();
        let tabindex = move |id: String| move || if *tab_stop.read() == id { "0" } else { "-1" };
        let shown_box = move |values: Vec<u8>, id: &str, name: Option<String>| {
            let (id, of_focus) = (id.to_owned(), id.to_owned());
            view! {
                <ShownBox
                    values
                    hidden
                    on_show
                    attr:id=id.clone()
                    attr:tabindex=tabindex(id)
                    attr:aria-label=name
                    on:focus=move |_| stop.set(of_focus.clone())
                />
            }
        };
        let sides = row
            .sides
            .iter()
            .zip([said::LEFT, said::RIGHT])
            .zip(&boxes[1..])
            .map(|((label, letter), id)| {
                view! {
                    <div role="gridcell">
                        <label class="side" title=label.name.clone()>
                            {shown_box(vec![label.value], id, Some(label.name.clone()))}
                            <span aria-hidden="true">{letter}</span>
                        </label>
                    </div>
                }
            });
        let sides = sides.collect_view();
        view! {
            <div role="row" class="legend-row" class:is-heading=row.color.is_none()>
                <div role="gridcell">
                    <label>
                        {shown_box(row.values, &boxes[0], None)}
                        {row.color.map(|color| view! { <Swatch color/> })}
                        <span>{row.name}</span>
                    </label>
                </div>
                {sides}
            </div>
        }
    };
    let num_found = move || {
        let structures: usize =
            found.with(|found| found.iter().map(|group| group.structures.len()).sum());
        said::structures(structures)
    };
    view! {
        <div class="legend-search">
            <input
                type="search"
                data-testid="legend-search"
                aria-label=said::FIND
                placeholder=said::EXAMPLE
                autocomplete="off"
                on:input:target=move |event| query.set(event.target().value())
            />
            <p class="hint" role="status">{num_found}</p>
        </div>
        <div
            role="grid"
            aria-label=said::NAME_WITH_KEYS
            on:keydown=on_key
        >
            <For each=move || rows.get() key=|row| (row.id.clone(), row.values.clone()) children=row/>
        </div>
    }
}

/// A box that says whether labels are shown, and shows or hides all of them.
#[component]
fn ShownBox(
    values: Vec<u8>,
    hidden: Signal<BTreeSet<u8>>,
    on_show: Callback<(Vec<u8>, bool)>,
) -> impl IntoView {
    let values = StoredValue::new(values);
    let num_hidden = Memo::new(move |_| {
        let is_hidden = |value: &&u8| hidden.with(|hidden| hidden.contains(*value));
        values.with_value(|values| values.iter().filter(is_hidden).count())
    });
    let is_some_hidden = move || (1..values.with_value(Vec::len)).contains(&num_hidden.get());
    let take = move |event: Event| {
        let is_checked = event
            .target()
            .and_then(|target| target.dyn_into::<HtmlInputElement>().ok())
            .is_some_and(|input| input.checked());
        on_show.run((values.get_value(), is_checked));
    };
    view! {
        <input
            type="checkbox"
            prop:checked=move || num_hidden.get() == 0
            prop:indeterminate=is_some_hidden
            on:change=take
        />
    }
}
