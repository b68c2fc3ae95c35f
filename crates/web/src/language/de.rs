//! Die Worte der Seite auf Deutsch: `en.rs` mit denselben Namen, wo auch steht, was die Texte sind.

pub mod page {
    pub const LANGUAGE: &str = "de";
    pub const TITLE: &str = "DINO-Med3D: eine 3-D-Aufnahme im Browser segmentieren";
    pub const PROMISE: &str = "Segmentiert eine 3-D-Aufnahme auf Ihrem eigenen Gerät. Die Aufnahme verlässt diese Seite nie.";
    pub const NOTICE: &str = "Nur für Forschung und Lehre; kein Medizinprodukt.";
    pub const SKIP: &str = "Direkt zur Ansicht";
    pub const DROP: &str = "Aufnahme oder Modell irgendwo hier ablegen";
    pub const LABEL: &str = "Label";
    pub const BACKGROUND: &str = "Hintergrund";
    pub fn label(value: u32) -> String {
        format!("Label {value}")
    }
}

pub mod numbers {
    pub fn number(value: f64, digits: usize) -> String {
        crate::language::with_minus(format!("{value:.digits$}").replace('.', ","))
    }
    pub const GROUPS: char = '\u{202f}';

    pub const ABOUT_A_SECOND: &str = "etwa eine Sekunde";
    pub fn about_seconds(seconds: f64) -> String {
        format!("etwa {seconds} s")
    }
    pub fn about_minutes(minutes: f64) -> String {
        format!("etwa {minutes} min")
    }

    pub fn milliseconds(milliseconds: f64) -> String {
        format!("{milliseconds} ms")
    }
    pub fn seconds(seconds: f64) -> String {
        format!("{} s", number(seconds, 1))
    }
    pub fn minutes(minutes: f64) -> String {
        format!("{} min", number(minutes, 1))
    }

    pub fn kilobytes(kilobytes: u64) -> String {
        format!("{kilobytes} kB")
    }
    pub fn whole_megabytes(megabytes: u64) -> String {
        format!("{megabytes} MB")
    }
    pub fn megabytes(megabytes: f64) -> String {
        format!("{} MB", number(megabytes, 1))
    }
    pub fn gigabytes(gigabytes: f64) -> String {
        format!("{} GB", number(gigabytes, 1))
    }

    pub fn range(low: f64, high: f64, digits: usize) -> String {
        format!("{} bis {}", number(low, digits), number(high, digits))
    }
    pub fn spacing(mm: [f64; 3]) -> String {
        format!("{} mm", mm.map(|edge| number(edge, 2)).join(" × "))
    }
}

pub mod scan {
    pub const HEADING: &str = "Aufnahme";
    pub const OPEN: &str = "Aufnahme öffnen";
    pub const OPEN_FOLDER: &str = "Ordner öffnen";
    pub const SAMPLE_HEAD: &str = "Beispiel Kopf";
    pub const SAMPLE_HIPPOCAMPUS: &str = "Beispiel Hippocampus";
    pub const HINT: &str = "NIfTI, MGH oder DICOM (.nii, .nii.gz, .hdr mit .img, .mgz; alle Dateien einer Serie, ein Ordner oder ein Zip); oder irgendwo auf dieser Seite ablegen. Mehrere werden eine Liste. Ein Modellordner wird als Modell genommen.";

    pub const FILE: &str = "Datei";
    pub const SERIES: &str = "Serie";
    pub const VOXELS: &str = "Voxel";
    pub const SPACING: &str = "Abstand";
    pub const AXES_AND_TYPE: &str = "Achsen, Typ";

    pub const SCANS_IN: &str = "Aufnahmen in ";
    pub fn add_all(count: usize) -> String {
        format!("Alle {count} hinzufügen")
    }
    pub const NONE_OF_THESE: &str = "Keine davon";
    pub fn number(index: usize) -> String {
        format!("Aufnahme {index}")
    }
    pub fn volume(last: usize) -> String {
        format!("Volumen, 0 bis {last}")
    }
    pub fn volume_of(last: usize, title: &str) -> String {
        format!("Volumen, 0 bis {last}, von {title}")
    }
    pub fn cant_be_opened(problem: &str) -> String {
        format!("Lässt sich nicht öffnen: {problem}.")
    }
    pub fn slices(slices: usize, columns: usize, rows: usize) -> String {
        let plural = if slices == 1 { "" } else { "en" };
        format!("{slices} Schicht{plural} zu {columns} × {rows}")
    }
    pub fn volumes(count: usize) -> String {
        format!("{count} Volumen")
    }
    pub fn several_volumes(name: &str, count: usize) -> String {
        format!("{name} enthält {count} Volumen. Bitte eines wählen.")
    }
    pub fn several_scans(name: &str, count: usize) -> String {
        format!("{name} enthält {count} Aufnahmen. Bitte eine wählen.")
    }
}

pub mod list {
    pub const NAME: &str = "Aufnahmen";
    pub const SEGMENT_ALL: &str = "Alle segmentieren";
    pub const CANCEL: &str = "Abbrechen";
    pub const SAVE_ALL: &str = "Alle speichern";
    pub fn remove(name: &str) -> String {
        format!("{name} entfernen")
    }

    pub const WAITING: &str = "Nicht segmentiert";
    pub const READING: &str = "Wird gelesen";
    pub fn segmenting(place: Option<(usize, usize)>, percent: f32) -> String {
        match place {
            Some((place, of)) => format!("Wird segmentiert, {place} von {of}, {percent:.0} %"),
            None => format!("Wird segmentiert, {percent:.0} %"),
        }
    }
    pub fn changed_by_hand(found: &str) -> String {
        format!("{found}, von Hand geändert")
    }
    pub fn with_warnings(found: &str) -> String {
        format!("Mit Warnungen: {found}")
    }
    pub fn volumes_ml(volumes: &str) -> String {
        format!("{volumes} ml")
    }
    pub fn labels(count: usize, total_ml: &str) -> String {
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} Label{plural}, {total_ml} ml")
    }
    pub fn choose_volume(count: usize) -> String {
        format!("Enthält {count} Volumen: zum Wählen öffnen.")
    }

    pub fn done(count: usize) -> String {
        let plural = if count == 1 { "" } else { "n" };
        format!("Fertig: {count} Aufnahme{plural} segmentiert.")
    }
    pub fn some_failed(count: usize, failed: usize) -> String {
        let done = count - failed;
        let others = if failed == 1 {
            "der anderen"
        } else {
            "den anderen"
        };
        format!(
            "Fertig: {done} von {count} segmentiert; was mit {others} nicht stimmt, steht in der Liste."
        )
    }

    pub fn scan(index: usize) -> String {
        format!("Aufnahme {index}")
    }

    pub fn scans_at_once(count: usize) -> String {
        format!("Dieses Modell nimmt {count} Aufnahmen auf einmal")
    }
    pub const CHANNELS_HINT: &str = "Auf einem Gitter; alle öffnen. Die Labels sind die der Aufnahme auf dem Bildschirm, die eine davon ist.";
    pub const NONE_YET: &str = "Noch keine";
}

pub mod model {
    pub const HEADING: &str = "Modell";
    pub const SEGMENTS: &str = "Segmentiert";
    pub fn for_scans(modality: &str) -> String {
        format!("Für {modality}. ")
    }
    pub const ABOUT: &str = "Über das Modell";
    pub const JUDGED: &str = "wie es geprüft wurde";
    pub fn own(hash: &str) -> String {
        format!("Ihr eigenes, nur auf diesem Gerät, solange die Seite offen ist. SHA-256 {hash}…")
    }
    pub const YOURS: &str = "(Ihres)";
    pub fn in_four_bits(title: &str) -> String {
        format!("{title}, in vier Bit")
    }

    pub const WAITING: &str = "Wartet auf den Worker.";
    pub fn loading_bytes(received: &str, total: &str) -> String {
        format!("Wird geladen, {received} von {total}.")
    }
    pub const CHECKING: &str = "Wird auf diesem Gerät geprüft.";
    pub const LOADING: &str = "Wird geladen.";
    pub fn loaded(version: &str, time: &str) -> String {
        format!("Version {version}, in {time} geladen und geprüft")
    }
    pub fn differs(first_block: f32, whole: f32) -> String {
        format!(
            "Weicht von der bekannten Ausgabe um {first_block:.0e} nach einem Transformer-Block und um {whole:.0e} nach dem ganzen Netz ab."
        )
    }
    pub const IN_HALF: &str = " In halber Genauigkeit, die auf diesem Gerät schneller ist.";
    pub const NOT_LOADED: &str = "Nicht geladen.";

    pub const COMPUTE_ON: &str = "Rechnen auf";
    pub const AUTOMATIC: &str = "Automatisch";
    pub const WEBGPU: &str = "WebGPU";
    pub const CPU: &str = "CPU";
    pub fn runs_on(backend: &str) -> String {
        format!("Rechnet auf: {backend}. ")
    }
    pub const NOTHING_RUNS: &str = "Nichts rechnet.";
    pub const LOOKING: &str = "Sieht nach, was dieses Gerät hat.";
    pub const WEBGPU_FAILED: &str = "WebGPU ist bei diesem Besuch schon einmal gescheitert";
}

pub mod models {
    pub const ALL: &str = "Alle Modelle";
    pub const CARD: &str = "Sein Datenblatt";
    pub const USE: &str = "Benutzen";
    pub const IN_USE: &str = "In Gebrauch";
    pub fn use_model(title: &str) -> String {
        format!("{title} benutzen")
    }
    pub fn facts(modality: &str, facts: &str) -> String {
        format!("Für {modality}: {facts}.")
    }
    pub fn to_load(size: &str) -> String {
        format!("{size} zu laden")
    }
    pub fn version(version: &str) -> String {
        format!("Version {version}")
    }
    pub fn labels(count: usize) -> String {
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} Label{plural}")
    }
    pub fn mean_dice(mean: f64, cases: usize) -> String {
        let mean = super::numbers::number(mean, 2);
        let plural = if cases == 1 { "fall" } else { "fällen" };
        format!("mittlerer Dice {mean} an {cases} Validierungs{plural}")
    }
    pub fn licence(licence: &str) -> String {
        format!("Lizenz {licence}")
    }
    pub fn licence_by(licence: &str, by: &str) -> String {
        format!("Lizenz {licence}, von {by}")
    }
}

pub mod run {
    pub const HEADING: &str = "Segmentierung";
    pub const SEGMENT: &str = "Segmentieren";
    pub const SEGMENT_THIS: &str = "Diese segmentieren";
    pub const CANCEL: &str = "Abbrechen";
    pub const START_AGAIN: &str = "Neu starten";
    pub const DISMISS: &str = "Schließen";

    pub fn takes(time: Option<&str>, memory: &str, windows: usize, workers: usize) -> String {
        let time = time.map_or_else(String::new, |time| format!("{time} und "));
        let windows = match windows {
            1 => "ein Fenster".to_owned(),
            _ => format!("{windows} Fenster"),
        };
        let shared = match workers {
            1 => String::new(),
            _ => format!(" für {workers} Worker"),
        };
        format!("Braucht auf diesem Gerät {time}{memory}; {windows}{shared}.")
    }

    pub const PROGRESS: &str = "Fortschritt der Segmentierung";
    pub fn scan(place: usize, of: usize) -> String {
        format!("Aufnahme {place} von {of}")
    }
    pub const STOPPING: &str = "Hält an";
    pub fn progress(percent: f32, window: Option<(usize, usize)>, left: Option<&str>) -> String {
        let window = window.map_or_else(String::new, |(window, of)| {
            format!(", Fenster {window} von {of}")
        });
        let left = left.map_or_else(String::new, |left| format!(", noch {left}"));
        format!("{percent:.0} %{window}{left}")
    }
}

pub mod viewer {
    pub const NAME: &str = "Ansicht";
    pub const KIND: &str = "Ansicht einer Aufnahme";
    pub const CANVAS: &str = "Aufnahme in drei Ebenen und 3-D";
    pub const KEYS: &str = "Die Pfeiltasten bewegen das Fadenkreuz nach rechts, links, vorn und hinten, Bild auf und Bild ab nach oben und unten.";
    pub const EMPTY: &str = "Eine Aufnahme hier ablegen, oder ein Beispiel nehmen.";
    pub const STAYS: &str = "Sie bleibt auf diesem Gerät: nichts wird hochgeladen.";

    pub const VIEW: &str = "Ansicht";
    pub const ALL: &str = "Alle und 3-D";
    pub const PLANES: &str = "Ebenen";
    pub const AXIAL: &str = "Axial";
    pub const CORONAL: &str = "Koronal";
    pub const SAGITTAL: &str = "Sagittal";
    pub const MOSAIC: &str = "Mosaik";
    pub const RENDER: &str = "3-D";
    pub const LEFT: &str = "L";
    pub const ANTERIOR: &str = "A";
    pub const POSTERIOR: &str = "P";
    pub const SUPERIOR: &str = "S";

    pub const LABELS: &str = "Labels";
    pub const LABEL_OPACITY: &str = "Deckkraft der Labels";
    pub const ONLY_THIS: &str = "Nur dieses Label";
    pub const ALL_LABELS: &str = "Alle Labels zeigen";
    pub const ISOLATE_TITLE: &str = "Nur das Label am Fadenkreuz";
    pub const MEND: &str = "Ausbessern";
    pub const MEND_TITLE: &str = "Die Labels von Hand ändern";

    pub const GREY_VALUES: &str = "Grauwerte";
    pub const WINDOW: &str = "Fenster";
    pub const LEVEL: &str = "Mitte";
    pub const RESET: &str = "Zurücksetzen";

    pub const SAVE_PICTURE: &str = "Bild speichern";
    pub fn picture_failed(reason: &str) -> String {
        format!("Das Bild lässt sich nicht speichern: {reason}.")
    }

    pub fn location(mm: [f64; 3], voxel: [u32; 3], value: &str, label: &str) -> String {
        let [x, y, z] = mm.map(|mm| super::numbers::number(mm, 1));
        let [i, j, k] = voxel;
        format!("x {x}; y {y}; z {z} mm · Voxel {i}, {j}, {k} · Wert {value}{label}")
    }
    pub const NO_LABEL: &str = " · kein Label";
    pub fn label(name: &str) -> String {
        format!(" · {name}")
    }

    pub fn could_not_start(reason: &str) -> String {
        format!(
            "Die Ansicht konnte nicht starten: {reason}. Segmentieren und Speichern gehen ohne sie."
        )
    }
    pub fn cant_show_scan(reason: &str) -> String {
        format!(
            "Die Ansicht kann diese Aufnahme nicht zeigen: {reason}. Segmentieren und Speichern gehen ohne sie."
        )
    }
    pub fn cant_show_labels(reason: &str) -> String {
        format!("Die Ansicht kann die Labels nicht zeigen: {reason}. Speichern geht ohne sie.")
    }
    pub fn cant_show_inside(reason: &str) -> String {
        format!("Die Ansicht kann nicht zeigen, was im Netz vorgeht: {reason}.")
    }
}

pub mod legend {
    pub const NAME: &str = "Gezeigte Labels";
    pub const NAME_WITH_KEYS: &str = "Gezeigte Labels; Pfeiltasten führen von einem zum anderen";
    pub const FIND: &str = "Strukturen nach Name, Seite oder Nummer finden";
    // Names of labels are data, and in English.
    pub const EXAMPLE: &str = "Suche: left, thalamus, 17";
    pub fn structures(count: usize) -> String {
        match count {
            0 => "Keine Struktur dieses Namens.".to_owned(),
            1 => "1 Struktur".to_owned(),
            _ => format!("{count} Strukturen"),
        }
    }
    pub const ALL: &str = "Alle";
    pub const LEFT: &str = "L";
    pub const RIGHT: &str = "R";

    pub const WHITE_MATTER: &str = "Weiße Substanz und Rinde";
    pub const GREY_MATTER: &str = "Tiefe graue Substanz";
    pub const VENTRICLES: &str = "Ventrikel und Liquor";
    pub const CEREBELLUM: &str = "Kleinhirn und Hirnstamm";
    pub const OTHER: &str = "Andere";
}

pub mod mend {
    pub const NAME: &str = "Von Hand ausbessern";
    pub const TOOL: &str = "Werkzeug";
    pub const BRUSH: &str = "Pinsel";
    pub const ERASE: &str = "Radieren";
    pub const FILL: &str = "Füllen";
    pub fn key(key: &str) -> String {
        format!("Taste {key} in der Ansicht")
    }
    pub const LABEL: &str = "Label";
    pub const PICK: &str = "Aufnehmen";
    pub const PICK_TITLE: &str = "Das Label am Fadenkreuz nehmen";
    pub const SIZE: &str = "Größe, mm";
    pub const SOLID: &str = "In 3-D";
    pub const SOLID_TITLE: &str =
        "Eine Kugel statt einer Scheibe; Füllen im Volumen statt in der Schicht";
    pub const KEEP: &str = "Andere behalten";
    pub const KEEP_TITLE: &str = "Nur der Hintergrund und das gewählte Label ändern sich";
    pub const UNDO: &str = "Zurück";
    pub const REDO: &str = "Wieder";
    pub const RESTORE: &str = "Wiederherstellen";
    pub const RESTORE_TITLE: &str = "Zurück zu dem, was das Netz gefunden hat";
    pub const KEYS: &str = "In der Ansicht malt die Leertaste am Fadenkreuz; b, e und f wählen Pinsel, Radieren und Füllen, p das Label am Fadenkreuz, eckige Klammern die Größe. Strg und Z nimmt zurück, mit der Umschalttaste wird es wieder gemacht. Escape beendet das Ausbessern. Mit der Maus bewegt die Umschalttaste das Fadenkreuz, und Alt nimmt das Label darunter.";

    pub const NO_LABEL: &str = "Dort ist kein Label.";
    pub const FILLED: &str = "Nichts zu füllen: die Stelle hat dieses Label schon.";
    pub fn kept(name: &str) -> String {
        format!("Nicht gefüllt: dort ist {name}, und andere Labels werden behalten.")
    }
    pub const NOT_CLOSED: &str = "Nicht gefüllt: der Hintergrund reicht hier bis an den Rand der Aufnahme. Zuerst den Umriss schließen.";

    pub const LEARNING: &str = "Aus Strichen lernen";
    pub const LEARN: &str = "Aus meinen Strichen lernen";
    pub const LEARN_TITLE: &str = "Die letzten Schichten des Netzes lernen an dieser Aufnahme aus dem, was Sie gemalt haben, auf diesem Gerät, so dass das Übrige folgt. Was Sie gemalt haben, bleibt.";
    pub fn learning(percent: f32) -> String {
        format!("Lernt… {percent} %")
    }
    pub const STOP: &str = "Anhalten";
    pub const UNLEARN: &str = "Zurück vor das Lernen";
    pub const UNLEARN_TITLE: &str = "Die Labels, wie sie waren, bevor das Netz gelernt hat; was seither gemalt wurde, geht mit, und „Wieder“ bringt alles zurück";
    pub fn learnt(strokes: usize) -> String {
        let strokes = match strokes {
            1 => "einem Strich".to_owned(),
            _ => format!("{strokes} Strichen"),
        };
        format!("haben an dieser Aufnahme aus {strokes} gelernt")
    }

    pub const SEGMENTING_REPLACES: &str = "Dieses Ergebnis hat ein Mensch geändert. Noch einmal zu segmentieren ersetzt es, mit allen Änderungen. Fortfahren?";
    pub const REMOVING_LOSES: &str = "Das Ergebnis dieser Aufnahme hat ein Mensch geändert. Mit der Aufnahme geht es verloren. Fortfahren?";
    pub const RESTORING_LOSES: &str =
        "Damit wird alles, was von Hand geändert wurde, endgültig zurückgenommen. Fortfahren?";
    pub const LOOKING_BACK_LOSES: &str = "Dieses Ergebnis hat ein Mensch geändert. Was nach dem näheren Blick geändert wurde, geht verloren. Fortfahren?";
    pub fn looking_replaces(part: &str) -> String {
        format!(
            "Dieses Ergebnis hat ein Mensch geändert. Ein näherer Blick ersetzt, was hier gelabelt ist: {part}; auch, was von Hand geändert wurde. Fortfahren?"
        )
    }

    pub fn cant_be_mended(problem: &str) -> String {
        format!("Die Labelkarte lässt sich nicht ausbessern: {problem}.")
    }
    pub const SAVE_UNMENDED: &str =
        "Sie kann noch so gespeichert werden, wie das Netz sie gemacht hat.";
    pub fn too_many_voxels(count: usize, most: u32) -> String {
        format!("sie hat {count} Voxel, und höchstens {most} lassen sich ausbessern")
    }
    pub const FLAT: &str = "ihre Affine gibt Voxeln kein Volumen";
    pub fn another_size(found: usize, expected: usize) -> String {
        format!("sie hat {found} Voxel, erwartet sind {expected}")
    }
}

pub mod result {
    pub const HEADING: &str = "Ergebnis";
    pub const SAVE_LABELS: &str = "Labelkarte speichern";
    pub const WARNINGS: &str = "Warnungen";
    pub const SAVE_SEG: &str = "Als DICOM-SEG speichern";
    pub const SAVE_VOLUMES: &str = "Volumina speichern";
    pub const LOOK_BACK: &str = "Zurück vor den näheren Blick";
    pub const OF_TWO_NETWORKS: &str = "Sicherheit, Lernen und das Innere gibt es vom Ergebnis eines Netzes; nach einem näheren Blick ist es von zweien.";
    pub const NOT_KEPT: &str = "Sicherheit, Lernen und das Innere gibt es nur vom neuesten Ergebnis: dafür diese Aufnahme noch einmal segmentieren.";
    pub const CHANGED: &str = "Von Hand geändert: damit auch die Volumina, ein Vergleich und was gespeichert wird; Dateien sind so benannt. Die Sicherheit ist die des Netzes, von seinem eigenen Ergebnis.";
    pub fn learnt(learnt: &str) -> String {
        format!(" Die letzten Schichten des Netzes {learnt}.")
    }
    pub const SAVE_REPORT: &str = "Bericht speichern";
    pub const REPORT_TITLE: &str = "Eine Seite zum Drucken oder Weitergeben: Bilder, Volumina, Sicherheit, und wie es gemacht wurde";
    pub const INSIDE: &str = "Im Inneren des Netzes";
    pub const INSIDE_TITLE: &str = "Was das Netz sieht, Schritt für Schritt";
    pub fn look_closer(part: &str) -> String {
        format!("Näher ansehen: {part}")
    }
    pub fn made(how: &str) -> String {
        format!("Gemacht {how}.")
    }
    pub fn in_time(time: &str) -> String {
        format!("in {time}")
    }
    pub fn in_time_on_cpu(time: &str) -> String {
        format!("in {time} auf der CPU")
    }
    pub fn in_time_on_webgpu(time: &str) -> String {
        format!("in {time} mit WebGPU")
    }

    pub const SIZES: &str = "Größe jedes Labels";
    pub const VOXELS: &str = "Voxel";
    pub const VOLUME: &str = "Volumen, ml";
    pub const VOLUMES: &str = "Volumina";
    pub const VOLUMES_ML: &str = "Volumina in ml; – nicht gefunden";
    pub const STRUCTURE: &str = "Struktur";
    pub const LEFT: &str = "Links";
    pub const RIGHT: &str = "Rechts";
    pub const BOTH: &str = "Beide";
    pub const ASYMMETRY: &str = "L−R, %";
    pub const ASYMMETRY_TITLE: &str = "Links minus rechts, in Prozent ihres Mittels";

    pub const RANGES: &str = "Wie sicher sind die Volumina?";
    pub const RANGES_MEAN: &str = "In neun von zehn Fällen wie denen, an denen dieses Modell kalibriert wurde, liegt das wahre Volumen dazwischen. Eine Aufnahme anderer Art kann unsicherer sein.";
    pub fn both_sides(structure: &str) -> String {
        format!("{structure}, beide Seiten")
    }
}

pub mod certainty {
    pub const NAME: &str = "Sicherheit";
    pub const SAVE: &str = "Sicherheit speichern";
    pub const SAVE_PROBABILITIES: &str = "Wahrscheinlichkeiten speichern";
    pub fn means(truth: &str) -> String {
        format!(
            "Die Wahrscheinlichkeit, die das Netz selbst dem gibt, was es gefunden hat, vor jeder Korrektur; {truth}"
        )
    }
    pub fn calibrated(error_percent: f64) -> String {
        format!(
            "an Validierungsfällen liegt sie im Mittel {} % neben dem Anteil richtiger Antworten",
            super::numbers::number(error_percent, 1)
        )
    }
    pub const NOT_CALIBRATED: &str = "nicht kalibriert";

    pub const UNDER_50: &str = "unter 50 % sicher";
    pub const FROM_50: &str = "50 bis 70 %";
    pub const FROM_70: &str = "70 bis 85 %";
    pub const FROM_85: &str = "85 bis 95 %";
    pub const FROM_95: &str = "95 % und mehr";
}

pub mod compare {
    pub const NAME: &str = "Vergleich";
    pub const CHOOSE: &str = "Mit einer Referenz vergleichen…";
    pub const HINT: &str = "Eine Labelkarte auf diesem Gitter, in beliebiger Reihenfolge der Achsen (.nii, .nii.gz, .mgz), dazu eine Tabelle ihrer Labels, wenn es eine gibt; wählen oder hier ablegen.";
    pub fn against(name: &str) -> String {
        format!("Gegen {name}")
    }
    pub const ON_THE_SCAN: &str = "Auf der Aufnahme";
    pub const RESULT: &str = "Ergebnis";
    pub const REFERENCE: &str = "Referenz";
    pub const DISAGREEMENT: &str = "Unterschiede";
    pub const CERTAINTY: &str = "Sicherheit";
    pub const ONLY_RESULT: &str = "nur im Ergebnis";
    pub const ONLY_REFERENCE: &str = "nur in der Referenz";
    pub const ANOTHER_LABEL: &str = "anderes Label";

    pub const TABLE: &str =
        "Dice; Abstände in mm; Volumen des Ergebnisses weniger das der Referenz in ml";
    pub const DICE: &str = "Dice";
    pub const HD95: &str = "HD95";
    pub const HD95_TITLE: &str = "95. Perzentil der Oberflächenabstände, mm";
    pub const ASSD: &str = "ASSD";
    pub const ASSD_TITLE: &str = "Mittlerer symmetrischer Oberflächenabstand, mm";
    pub const DIFFERENCE: &str = "ΔV";
    pub const DIFFERENCE_TITLE: &str = "Volumen des Ergebnisses weniger das der Referenz, ml";
    pub fn mean(count: usize) -> String {
        format!("Mittel über {count} der Referenz")
    }
    pub const MISSED: &str = " (übersehen)";
    pub const NOT_IN_REFERENCE: &str = " (nicht in der Referenz)";

    pub const NUMBERS: &str = "Nummern der Referenz";
    pub fn number_is(number: u32, name: Option<&str>) -> String {
        match name {
            Some(name) => format!("{number} ({name}) ist"),
            None => format!("{number} ist"),
        }
    }
    pub const SAVE: &str = "Als CSV speichern";
    pub const REMOVE: &str = "Entfernen";

    pub const READING: &str = "Liest die Referenz…";
    pub const COMPARING: &str = "Vergleicht…";
    pub fn progress(done: usize, of: usize) -> String {
        let plural = if of == 1 { "" } else { "s" };
        format!("Vergleicht: {done} von {of} Label{plural}.")
    }

    pub fn several_files(maps: usize, tables: usize) -> String {
        format!(
            "Eine Referenz ist eine Labelkarte, mit höchstens einer Tabelle ihrer Labels; das sind {maps} und {tables}."
        )
    }
    pub fn cant_be_compared(name: &str, problem: &str) -> String {
        format!("{name} lässt sich nicht vergleichen: {problem}.")
    }
    pub const ONLY_BACKGROUND: &str = "sie enthält kein Label, nur Hintergrund";
    pub const NO_TABLE: &str = "die Tabelle dabei ist keine, die hier bekannt ist (Farben von FreeSurfer, Labelbeschreibungen von ITK-SNAP, Farben von 3D Slicer, oder eine von BIDS mit index und name)";
    pub fn another_grid(where_it_lies: &str) -> String {
        format!(
            "sie liegt auf einem anderen Gitter, {where_it_lies}; hier neu abgetastet änderten sich Volumina und Oberflächen, bringen Sie sie deshalb zuerst auf das Gitter der Aufnahme"
        )
    }
    pub fn apart(mm: f64) -> String {
        let mm = super::numbers::number(mm, 1);
        format!("bis zu {mm} mm von dem der Aufnahme entfernt")
    }
    pub fn sizes(reference: &str, scan: &str) -> String {
        format!("{reference}, das der Aufnahme hat {scan}")
    }
    pub fn size(columns: usize, rows: usize, slices: usize, spacing_mm: [f64; 3]) -> String {
        let spacing = super::numbers::spacing(spacing_mm);
        format!("{columns} × {rows} × {slices} Voxel von {spacing}")
    }
}

pub mod inside {
    pub const HEADING: &str = "Im Inneren des Netzes";
    pub const BACK: &str = "Zurück zum Ergebnis";
    pub const STATIONS: &str = "Stationen";
    pub fn station(number: usize, title: &str) -> String {
        format!("{number}. {title}")
    }
    pub const WHY: &str = "Warum: ";
    pub const TRY: &str = "Versuch: ";
    pub const BEFORE: &str = "Zurück";
    pub const NEXT: &str = "Weiter";
    pub const METHOD: &str = "Das Verfahren, Teil für Teil";
    pub const COMPUTED_BY: &str = " · berechnet von ";

    pub const BLOCK: &str = "Block";
    pub const EMBEDDING: &str = "die Einbettung";
    pub fn block(number: usize) -> String {
        format!("Block {number}")
    }
    pub fn after_block(number: usize) -> String {
        format!("nach Block {number}")
    }
    pub const OVER_THE_SCAN: &str = "Über der Aufnahme";
    pub fn head(number: usize) -> String {
        format!("Kopf {number}")
    }
    pub const ALL_HEADS: &str = "Alle Köpfe, alle Blöcke bis hier";
    pub const THRESHOLD: &str = "Schwelle";
    pub const GATE: &str = "Das Tor";
    pub fn quarter_size(level: usize) -> String {
        format!("Ebene {level}: Viertel der Größe")
    }
    pub fn half_size(level: usize) -> String {
        format!("Ebene {level}: halbe Größe")
    }
    pub fn full_size(level: usize) -> String {
        format!("Ebene {level}: volle Größe")
    }
    pub const WITHOUT: &str = "Ohne";
    pub const SWITCHED_OFF: &str = "Ausgeschaltet";
    pub const NOTHING: &str = "nichts";
    pub const NEIGHBOURS: &str = "Nachbarschichten";
    pub const ADAPTERS: &str = "Adapter";
    pub const DETAIL: &str = "Detailstrom";
    pub const TRANSFORMER: &str = "Transformer";

    pub fn looking(percent: f32) -> String {
        format!("Blick ins Innere: {percent:.0} %")
    }
    pub const OPEN_A_SCAN: &str = "Eine Aufnahme öffnen oder ein Beispiel nehmen, dann „Segmentieren“: diese Station zeigt, was das Netz damit macht.";
    pub const AT_WORK: &str = "Das Netz arbeitet.";
    pub const PRESS_SEGMENT: &str =
        "„Segmentieren“ drücken: diese Station zeigt, was das Netz mit der Aufnahme macht.";
    pub const OUTSIDE: &str = "Dort hat das Netz nicht hingesehen. Bringen Sie das Fadenkreuz zu etwas, das es gelabelt hat.";
    pub fn place(
        slice: [usize; 2],
        row: [usize; 2],
        column: [usize; 2],
        width: usize,
        patch: usize,
    ) -> String {
        let [[slice, slices], [row, rows], [column, columns]] = [slice, row, column];
        format!(
            "Schicht {slice} von {slices}, Patch in Zeile {row} von {rows} und Spalte {column} von {columns}; {width} Zahlen je Token, {patch} × {patch} Voxel je Patch."
        )
    }
    pub const SAVE_MAP: &str = "Diese Karte speichern";
    pub fn slice(offset: i32) -> String {
        let plural = if offset.abs() == 1 { "" } else { "en" };
        match offset {
            0 => "diese Schicht".to_owned(),
            1.. => format!("{offset} Schicht{plural} danach"),
            _ => format!("{} Schicht{plural} davor", -offset),
        }
    }
    pub const TOGETHER: &str = "zusammen: davor rot, diese grün, danach blau";
    pub fn looks(number: i32, elsewhere_percent: f32) -> String {
        match elsewhere_percent {
            0.0 => format!("Kopf {number}: nur auf Patches"),
            _ => format!("Kopf {number}: {elsewhere_percent} % auf Token für das Ganze"),
        }
    }
    pub fn stage(number: i32) -> String {
        format!("Stufe {number}")
    }
    pub const WHOLE_NETWORK: &str = "ganzes Netz";
    pub const WITHOUT_ADAPTERS: &str = "ohne Adapter";
    pub fn hears(network: &str, slices: usize, of: usize) -> String {
        let hear = if slices == 1 { "hört" } else { "hören" };
        format!("{network}: {slices} von {of} Schichten {hear} davon")
    }
    pub fn dice(mean: f64) -> String {
        let mean = super::numbers::number(mean, 3);
        format!("Dice gegen das ganze Netz, im Mittel {mean}")
    }
    pub const AGAINST_REFERENCE: &str = "gegen die Referenz";
    pub const RESULT_AGAINST_REFERENCE: &str = "das Ergebnis gegen sie";
    pub fn stage1(is_fitted: bool, mean_dice: f64, cases: usize) -> String {
        let mean = super::numbers::number(mean_dice, 2);
        let head = if is_fitted {
            "Diesen Kopf hat keine Stufe 1 trainiert: er wurde dem Transformer, wie er jetzt ist, neu angepasst, ohne Adapter"
        } else {
            "Der Kopf ist der von Stufe 1, und der Transformer auch"
        };
        let plural = if cases == 1 { "Fall" } else { "Fällen" };
        format!("{head}. Mittlerer Dice {mean} in {cases} zurückgehaltenen {plural}.")
    }
    pub const NO_STAGE_1: &str = "Dieses Modell hat keinen Kopf für Stufe 1; was sie aus einer Aufnahme machte, lässt sich nicht zeigen.";

    pub struct Station {
        pub title: &'static str,
        pub what: &'static str,
        pub why: &'static str,
        pub question: &'static str,
    }
    pub const SLICES_STATION: Station = Station {
        title: "Drei Schichten, ein Bild",
        what: "Das Netz liest die Aufnahme Schicht für Schicht, und sieht jede mit ihren Nachbarn, als wären sie das Rot, Grün und \
               Blau einer Fotografie. Der Rahmen ist ein Patch: all seine Voxel in allen drei Schichten werden ein Token, eine Liste \
               von Zahlen.",
        why: "Der Transformer wurde für farbige Bilder gemacht. Drei Schichten an der Stelle von drei Farben sagen ihm, was in der \
              dritten Richtung vorgeht, ohne dass er sich ändert.",
        question: "Wo ist das Bild aus allen dreien grau, wo farbig? Bewegen Sie das Fadenkreuz an den Rand einer Struktur.",
    };
    pub const TOKENS_STATION: Station = Station {
        title: "Token als Farben",
        what: "Jeder Patch ist ein Token aus vielen Zahlen; die drei Richtungen, in denen sich Token am meisten unterscheiden, sind \
               als Rot, Grün und Blau gezeichnet. Token, die dem Netz ähnlich sind, haben ähnliche Farben.",
        why: "Niemand hat dem Netz gesagt, welche Zahlen was bedeuten. Von Block zu Block sammelt sich in Token, was zusammengehört: \
              erst was gleich aussieht, später was gleich ist.",
        question: "Nach welchem Block sehen links und rechts gleich aus, und nach welchem trennt sich das Gehirn von dem, was darum liegt?",
    };
    pub const SIMILARITY_STATION: Station = Station {
        title: "Was ist so wie dies?",
        what: "Jedes Token wird mit dem am Fadenkreuz verglichen: Hell ist ähnlich, Dunkel hat nichts gemein. Mit der Schwelle \
               bleibt nur das Ähnlichste.",
        why: "Aus Token allein kann ein Decoder zwei Patches nur dann verschiedene Labels geben, wenn ihre Token verschieden sind. Was hier hell ist, \
              ist von dem, was Sie angeklickt haben, schwer zu unterscheiden.",
        question: "Klicken Sie einen Ventrikel an: leuchtet der andere auf? Vergleichen Sie den ersten Block mit dem letzten.",
    };
    pub const ATTENTION_STATION: Station = Station {
        title: "Wohin sieht ein Token?",
        what: "In jedem Block sieht jedes Token auf alle anderen seiner Schicht, mit mehreren Köpfen zugleich; helle Patches geben ihm \
               am meisten. „Alle Köpfe“ folgt den Blicken durch alle Blöcke bis hier.",
        why: "Ein Patch allein kann irgendeine graue Substanz sein. Welche, sagt, was darum liegt, und die Aufmerksamkeit bringt es \
              ihm.",
        question: "Welche Köpfe sehen in die Nähe, welche in die Ferne? Manche sehen auf gar keinen Patch, sondern auf Token, die für das Ganze stehen.",
    };
    pub const ADAPTERS_STATION: Station = Station {
        title: "Was Adapter ändern",
        what: "Kleine Adapter in jedem Block lassen einen Patch von derselben Stelle in den Schichten davor und danach hören. Hell \
               sind Token, die ohne Adapter am meisten anders wären.",
        why: "Die Aufmerksamkeit sieht nur eine Schicht. Ohne Adapter wäre das Netz eines für einzelne Schichten.",
        question: "Wo ändern Adapter am meisten, und wächst es von Block zu Block?",
    };
    pub const REACH_STATION: Station = Station {
        title: "Schichten, die miteinander reden",
        what: "Die Schicht am Fadenkreuz wird mit einem Grau übermalt, und die Kurve zeigt, wie sehr sich die Token jeder Schicht \
               ändern. Mit Adaptern hören ferne Schichten davon; ohne sie nur die zwei daneben.",
        why: "Jeder Adapter reicht eine Schicht weiter. Nach allen Blöcken wird so aus einem Stapel von Schichten ein Volumen.",
        question: "Wie viele Schichten entfernt ist es noch zu hören?",
    };
    pub const DETAIL_STATION: Station = Station {
        title: "Der Detailstrom",
        what: "Neben dem Transformer bewahrt ein Strom kleiner Faltungen, wofür Patches zu grob sind: Kanten und Dünnes. Das Tor \
               sagt, wo der Decoder ihn einlässt: Hell ist offen.",
        why: "Ein Token steht für einen ganzen Patch. Die Grenze einer Struktur läuft durch den Patch hindurch, und muss anderswoher \
              kommen.",
        question: "Was sieht die feinste Ebene, das die gröbste nicht sieht? Ist das Tor an Kanten offen oder innen?",
    };
    pub const PARTS_STATION: Station = Station {
        title: "Ohne einen Teil",
        what: "Dasselbe Fenster geht durch das Netz, in dem ein Teil ausgeschaltet ist, und seine Labels liegen über der Aufnahme. \
               Dice sagt, wie weit sie mit denen des ganzen Netzes übereinstimmen.",
        why: "Wozu ein Teil gut ist, sieht man, wenn er fehlt. Das Netz wurde mit allen trainiert, deshalb kann dies mehr sein, als \
              es verlöre, hätte es den Teil nie gehabt.",
        question: "Welcher Teil fehlt am meisten, und welchen Strukturen?",
    };
    pub const PROXY_STATION: Station = Station {
        title: "Stufe 1 und Stufe 2",
        what: "In Stufe 1 lernt ein Netz einzelner Schichten Labels, mit nichts als einer linearen Schicht auf seinen letzten Token: \
               seine Labels liegen über der Aufnahme. Stufe 2 legt Adapter, Detailstrom und Decoder um denselben Transformer, und \
               Dice sagt, wie weit ihre Labels übereinstimmen.",
        why: "Die Hilfsaufgabe lehrt die Token, was Strukturen sind, bevor anderes es tut. Grenzen, die feiner sind als ein Patch, und \
              was zwischen Schichten vorgeht, bleiben Stufe 2.",
        question: "Wo ist Stufe 2 anders: an Grenzen, an dünnen Enden oder von Schicht zu Schicht?",
    };
}

pub mod status {
    pub const STARTING: &str = "Startet…";
    pub const LOADING_MODEL: &str = "Lädt das Modell…";
    pub fn checking_model(name: &str) -> String {
        format!("Prüft {name}…")
    }
    pub const MODEL_NOT_OPENED: &str = "Das Modell wurde nicht geöffnet.";
    pub const MODEL_NOT_OPENED_ALL_STAYS: &str =
        "Das Modell wurde nicht geöffnet. Alles andere ist noch da.";
    pub const NO_MODEL: &str = "Kein Modell ist geladen.";

    pub const READY: &str = "Bereit. Eine Aufnahme öffnen oder ein Beispiel nehmen.";
    pub const READY_TO_SEGMENT: &str = "Bereit zum Segmentieren.";
    pub const FRESH: &str =
        "Ein neuer Worker ist bereit. Eine Aufnahme öffnen oder ein Beispiel nehmen.";
    pub const FRESH_WITH_SCAN: &str =
        "Ein neuer Worker ist bereit, mit Ihrer Aufnahme. Sie können es noch einmal versuchen.";
    pub const FRESH_WITH_LIST: &str =
        "Ein neuer Worker ist bereit. Was aus jeder Aufnahme wurde, steht in der Liste.";

    pub fn reading(name: &str) -> String {
        format!("Liest {name}…")
    }
    pub fn reading_place(name: &str, place: usize, of: usize) -> String {
        format!("Liest {name}… {place} von {of}.")
    }
    pub const FETCHING_SAMPLE: &str = "Holt das Beispiel…";
    pub fn left_out(names: &str, more: usize) -> String {
        let more = match more {
            0 => String::new(),
            _ => format!(" und {more} mehr"),
        };
        format!(" Ausgelassen, da keine Aufnahmen: {names}{more}.")
    }
    pub fn is_open(name: &str) -> String {
        format!("{name} ist offen.")
    }
    pub const NONE_OPENED: &str = "Keine wurde geöffnet.";
    pub const NONE_COULD_BE_OPENED: &str = "Nichts davon ließ sich öffnen.";
    pub const NOT_OPENED: &str = "Die Datei wurde nicht geöffnet.";
    pub const NOT_OPENED_SCAN_STAYS: &str =
        "Die Datei wurde nicht geöffnet. Die Aufnahme davor ist noch da.";
    pub fn not_opened_list_says(name: &str) -> String {
        format!("{name} wurde nicht geöffnet; warum, steht in der Liste.")
    }
    pub const RUNNING: &str =
        "Eine Segmentierung läuft. Für eine andere Aufnahme zuerst abbrechen.";

    pub const SEGMENTING: &str = "Segmentiert…";
    pub fn segmenting(name: &str, place: usize, of: usize) -> String {
        format!("Segmentiert {name}, {place} von {of}.")
    }
    pub fn segmented(time: &str) -> String {
        format!("In {time} segmentiert.")
    }
    pub fn looking_closer(part: &str) -> String {
        format!("Sieht näher hin: {part}…")
    }
    pub const LOOKED_BACK: &str = "Das ist das Ergebnis von vor dem näheren Blick.";
    pub const FAILED: &str = "Die Segmentierung ist gescheitert. Die Aufnahme ist noch da.";
    pub const STOPPING: &str = "Hält an…";
    pub const STOPPED: &str = "Angehalten.";
    pub const STOPPED_SCAN_STAYS: &str = "Angehalten. Die Aufnahme ist noch da.";
    pub const ENDED_LATE: &str =
        "Der Worker hielt nicht rechtzeitig an und wurde beendet; ein neuer startet.";
    pub const ENDED_RESTARTING: &str =
        "Der Worker wurde beendet, und ein neuer startet; was offen war, bleibt offen.";
    pub const ENDED: &str = "Der Worker wurde beendet. Was offen war, bleibt offen.";

    pub const WRITING_SEG: &str = "Schreibt das DICOM-SEG…";
    pub const COMPUTING_CERTAINTY: &str = "Berechnet, wie sicher das Netz ist…";
    pub const CERTAINTY_SHOWN: &str =
        "Wo das Netz weniger sicher ist, liegt nun über der Aufnahme.";
    pub fn saved(name: &str) -> String {
        format!("{name} ist gespeichert.")
    }
    pub const LEARNING: &str = "Lernt aus den Strichen…";
    pub const LEARNT: &str = "Die Labels folgen den Strichen.";
    pub const NOTHING_LEARNT: &str = "Nichts wurde gelernt.";
}

pub mod failure {
    pub fn worker_unreachable(problem: &str) -> String {
        format!("Der Worker war nicht zu erreichen: {problem}")
    }
    pub const TRY_SMALLER: &str =
        "Wenn die Aufnahme sehr groß ist, versuchen Sie es mit einer kleineren.";
    pub fn worker_stopped(problem: &str) -> String {
        format!("Der Worker ist stehengeblieben: {problem}")
    }
    pub const CHOOSE_CPU: &str = "Wenn das wieder vorkommt, wählen Sie unter „Rechnen auf“ die CPU, oder versuchen Sie es mit einer kleineren Aufnahme.";
    pub fn no_worker(problem: &str) -> String {
        format!("Kein Worker ließ sich starten: {problem}")
    }
    pub const NEEDS_WORKERS: &str =
        "Diese Seite braucht einen Browser mit Modul-Workern; jeder heutige hat sie.";
    pub const NO_LABEL_MAP: &str = "Der Worker hat ein Ergebnis ohne Labelkarte geschickt.";
    pub const TRY_AGAIN: &str = "Versuchen Sie es noch einmal.";
    pub const CHECK_CONNECTION: &str =
        "Prüfen Sie die Verbindung zu dieser Site und starten Sie dann neu.";
    pub const CHECK_CONNECTION_OR_OPEN: &str =
        "Prüfen Sie die Verbindung zu dieser Site, oder öffnen Sie eine eigene Aufnahme.";

    pub fn not_packed(problem: &str) -> String {
        format!("Die Ergebnisse ließen sich nicht packen: {problem}.")
    }
    pub const SAVE_EACH: &str =
        "Wählen Sie eine Aufnahme nach der anderen und speichern Sie ihr Ergebnis.";
    pub fn several_models(count: usize) -> String {
        format!("Das sind {count} Modelle, erwartet ist eines auf einmal.")
    }
    pub const ONE_MODEL_FIRST: &str = "Wählen Sie eines davon, dann das nächste.";

    pub fn no_files(name: &str) -> String {
        format!("In {name} sind keine Dateien.")
    }
    pub fn not_read(name: &str, problem: &str) -> String {
        format!("{name} ließ sich nicht lesen: {problem}")
    }
    pub fn reference_not_read(name: &str, problem: &str) -> String {
        format!("{name} ließ sich nicht lesen: {problem}.")
    }
    pub fn not_taken(name: &str, count: usize, problem: &str) -> String {
        format!("Die {count} Dateien von {name} ließen sich nicht nehmen: {problem}")
    }
    pub const CHECK_FILE: &str = "Prüfen Sie, ob die Datei noch da ist und nicht zu groß für dieses Gerät, und wählen Sie sie dann noch einmal.";
    pub fn no_memory(bytes: usize) -> String {
        format!("für ihre {bytes} Bytes ist kein Speicher da")
    }
    pub fn same_name(path: &str) -> String {
        format!("zwei davon heißen {path}")
    }

    pub fn not_fetched(path: &str, problem: &str) -> String {
        format!("{path} ließ sich nicht holen: {problem}")
    }
    pub fn fetched_status(path: &str, status: u16) -> String {
        format!("{path} ließ sich nicht holen: Status {status}")
    }
    pub fn broke_off(path: &str, problem: &str) -> String {
        format!("{path} brach ab: {problem}")
    }
    pub fn not_understood(path: &str, problem: &str) -> String {
        format!("{path} ist nicht zu lesen: {problem}")
    }
}

pub mod report {
    pub fn title(scan: &str) -> String {
        format!("Segmentierung von {scan}")
    }
    pub const CHANGED: &str = "Von Hand geändert: Labels, Volumina und ein Vergleich sind, was ein Mensch aus dem Ergebnis des Netzes gemacht hat.";
    pub fn learnt(learnt: &str) -> String {
        format!(
            "Die letzten Schichten des Netzes {learnt}; was daraus wurde, hat ein Mensch übernommen."
        )
    }

    pub const NO_PICTURES: &str = "Ohne Bilder: die Aufnahme ließ sich nicht zeichnen.";
    pub fn through(mm: [f64; 3], voxel: [u32; 3]) -> String {
        let [x, y, z] = mm.map(|mm| super::numbers::number(mm, 1));
        let [i, j, k] = voxel;
        format!(
            "Durch x {x}; y {y}; z {z} mm (nach rechts, vorn und oben), Voxel {i}, {j}, {k} der Datei. "
        )
    }
    pub fn over(what: &str, hidden: usize) -> String {
        match hidden {
            0 => format!("Über der Aufnahme: {what}."),
            1 => format!("Über der Aufnahme: {what}; ein Label ist verborgen."),
            _ => format!("Über der Aufnahme: {what}; {hidden} Labels sind verborgen."),
        }
    }
    pub const OVER_RESULT: &str = "das Ergebnis";
    pub const OVER_REFERENCE: &str = "die Referenz";
    pub const OVER_DISAGREEMENT: &str = "worin Ergebnis und Referenz sich unterscheiden";
    pub const OVER_CERTAINTY: &str = "wo das Netz weniger sicher war";

    pub const VOLUMES: &str = "Volumina";
    pub const LEFT_ML: &str = "Links, ml";
    pub const RIGHT_ML: &str = "Rechts, ml";
    pub const BOTH_ML: &str = "Beide, ml";
    pub const ASYMMETRY: &str =
        "L\u{2212}R: links minus rechts, in Prozent ihres Mittels; – nicht gefunden.";
    pub const TRUE_VOLUME: &str = "Wahres Volumen, ml";

    pub const SCAN: &str = "Aufnahme";
    pub const VOLUME: &str = "Volumen";

    pub const CERTAINTY: &str = "Sicherheit";
    pub const NO_CERTAINTY: &str = "Für diesen Bericht nicht berechnet: legen Sie vor dem Speichern „Sicherheit“ über die Aufnahme.";
    pub const NETWORK_WAS: &str = "Das Netz war";
    pub const LABELLED_VOXELS: &str = "Gelabelte Voxel, %";

    pub const HD95_MM: &str = "HD95, mm";
    pub const ASSD_MM: &str = "ASSD, mm";
    pub const DIFFERENCE_ML: &str = "ΔV, ml";
    pub const DIFFERENCE: &str = "ΔV: Volumen des Ergebnisses weniger das der Referenz.";
    pub fn taken_for(numbers: &[u32], label: &str) -> String {
        let taken = if numbers.len() == 1 { "galt" } else { "galten" };
        let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
        format!(" Ihre {} {taken} als {label}.", numbers.join(", "))
    }

    pub const MADE: &str = "Wie es gemacht wurde";
    pub const MODEL: &str = "Modell";
    pub fn model(title: &str, name: &str, version: &str) -> String {
        format!("{title} ({name}), Version {version}")
    }
    pub fn own_model(title: &str, name: &str, version: &str) -> String {
        format!("{title} ({name}), Version {version}, ein eigenes des Besuchers")
    }
    pub const HASH: &str = "SHA-256 seiner Gewichte";
    pub const CHANNELS: &str = "Seine Kanäle";
    pub const LOOKED_CLOSER: &str = "Näher angesehen";
    pub fn looked_closer(part: &str, model: &str) -> String {
        format!("{part}, Modell {model}")
    }
    pub const PROGRAM: &str = "Programm";
    pub const SEGMENTED: &str = "Segmentiert";
    pub const LABEL_MAP: &str = "Labelkarte";
    pub const CHANGED_BY_HAND: &str = "Von Hand geändert";
    pub const YES: &str = "ja";
    pub const NO: &str = "nein";
    pub const LAST_LAYERS: &str = "Letzte Schichten";
}
