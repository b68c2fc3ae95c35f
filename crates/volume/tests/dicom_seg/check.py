"""Reads segmentations with highdicom, pydicom and dcmqi and compares them with what was to be written.

For each NAME of the folder given: NAME.dcm the segmentation, NAME.raw the label map (a byte a voxel, z, y, x), NAME.json its
shape, its affine (right, anterior, superior), its labels and where its scan lies.
"""

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import highdicom
import numpy
import pydicom
from pydicom.sr._concepts_dict import concepts

LPS_FROM_RAS = numpy.diag([-1.0, -1.0, 1.0, 1.0])


def meanings(scheme: str, value: str) -> set[str]:
    """What DICOM's context groups call a code."""
    found = set()
    for codes in concepts[scheme].values():
        if value in codes:
            meaning, groups = codes[value]
            if groups:
                found.add(meaning)
    return found


def check_codes(segment: pydicom.Dataset, label: dict) -> None:
    kind = segment.SegmentedPropertyTypeCodeSequence[0]
    category = segment.SegmentedPropertyCategoryCodeSequence[0]
    modifiers = kind.get("SegmentedPropertyTypeModifierCodeSequence", [])
    if kind.CodingSchemeDesignator == "99DINOMED3D":
        assert kind.CodeValue == str(label["value"]), kind
        assert not label["isKnown"], label
        kinds = []
    else:
        assert label["isKnown"], label
        kinds = [kind]
    for code in [category, *kinds, *modifiers]:
        expected = meanings(code.CodingSchemeDesignator, code.CodeValue)
        assert code.CodeMeaning in expected, f"{code}: {expected} is expected"


def onto(labels: numpy.ndarray, affine: numpy.ndarray, shape: list[int], target: numpy.ndarray) -> numpy.ndarray:
    """Labels of a grid on another one by the positions of their voxels, both affines taking (slice, row, column)."""
    there = numpy.zeros(shape, dtype=labels.dtype)
    voxels = numpy.argwhere(labels)
    places = numpy.concatenate([voxels, numpy.ones((len(voxels), 1))], axis=1)
    indices = places @ (numpy.linalg.inv(target) @ affine).T
    nearest = numpy.rint(indices[:, :3])
    off = numpy.abs(indices[:, :3] - nearest).max()
    assert off < 1e-3, f"voxels are {off} off the scan's"
    there[tuple(nearest.astype(int).T)] = labels[tuple(voxels.T)]
    return there


def along_normal(orientation: list, position: list) -> float:
    row, column = numpy.array(orientation[:3], float), numpy.array(orientation[3:], float)
    return float(numpy.cross(row, column) @ numpy.array(position, float))


def frames_of(source: pydicom.Dataset) -> list[tuple[float, str, int | None]]:
    """Of each slice of a file: where it lies, the file's UID, its frame where there are several."""
    if "PerFrameFunctionalGroupsSequence" not in source:
        place = along_normal(source.ImageOrientationPatient, source.ImagePositionPatient)
        return [(place, source.SOPInstanceUID, None)]
    frames = []
    for number, groups in enumerate(source.PerFrameFunctionalGroupsSequence, 1):
        shared = source.SharedFunctionalGroupsSequence[0]
        orientation = groups.get("PlaneOrientationSequence") or shared.PlaneOrientationSequence
        place = along_normal(
            orientation[0].ImageOrientationPatient,
            groups.PlanePositionSequence[0].ImagePositionPatient,
        )
        frames.append((place, source.SOPInstanceUID, number))
    return frames


def check_references(
    segmentation: highdicom.seg.Segmentation,
    expected: dict,
    of_number: numpy.ndarray,
    labels: numpy.ndarray,
) -> None:
    """Each frame refers to the file and the frame on whose plane it lies."""
    path = Path(expected["path"])
    paths = sorted(path.iterdir()) if path.is_dir() else [path]
    sources = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]
    for keyword in ["PatientName", "PatientID", "StudyInstanceUID", "StudyDate", "FrameOfReferenceUID"]:
        said = str(sources[0].get(keyword, ""))
        if said or keyword != "FrameOfReferenceUID":
            assert str(segmentation.get(keyword)) == said, f"{keyword} is {segmentation.get(keyword)}"
    referred = segmentation.ReferencedSeriesSequence[0]
    assert referred.SeriesInstanceUID == sources[0].SeriesInstanceUID
    instances = {i.ReferencedSOPInstanceUID for i in referred.ReferencedInstanceSequence}
    classes = {i.ReferencedSOPClassUID for i in referred.ReferencedInstanceSequence}
    assert instances == {source.SOPInstanceUID for source in sources}
    assert classes == {source.SOPClassUID for source in sources}

    groups = segmentation.PerFrameFunctionalGroupsSequence
    if expected["isStraightened"]:
        assert all("DerivationImageSequence" not in group for group in groups)
        shared = segmentation.SharedFunctionalGroupsSequence[0].DerivationImageSequence[0]
        assert {image.ReferencedSOPInstanceUID for image in shared.SourceImageSequence} == instances
        assert {image.SpatialLocationsPreserved for image in shared.SourceImageSequence} == {"NO"}
        return
    images = [group.DerivationImageSequence[0].SourceImageSequence[0] for group in groups]
    slices = sorted(frame for source in sources for frame in frames_of(source))
    if len(slices) < len(labels):
        # Of a mosaic.
        assert len(slices) == 1
        assert {image.ReferencedSOPInstanceUID for image in images} == instances
        assert {image.SpatialLocationsPreserved for image in images} == {"NO"}
        return
    assert {image.SpatialLocationsPreserved for image in images} == {"YES"}
    # Files of several volumes have several frames at a place.
    if len(slices) > len(labels):
        places = {(uid, number): place for place, uid, number in slices}
        for group, image in zip(groups, images, strict=True):
            place = along_normal(
                segmentation.SharedFunctionalGroupsSequence[0]
                .PlaneOrientationSequence[0]
                .ImageOrientationPatient,
                group.PlanePositionSequence[0].ImagePositionPatient,
            )
            number = image.get("ReferencedFrameNumber")
            off = abs(places[image.ReferencedSOPInstanceUID, number] - place)
            assert off < 1e-3, f"a frame refers to one {off} mm from it"
        return
    uids = [uid for _, uid, _ in slices]
    numbers = [number for _, _, number in slices]
    how = {"combine_segments": True, "assert_missing_frames_are_empty": True}
    if numbers[0] is None:
        found = segmentation.get_pixels_by_source_instance(uids, **how)
    else:
        found = segmentation.get_pixels_by_source_frame(uids[0], numbers, **how)
    assert numpy.array_equal(of_number[found], labels), "frames refer to others than they lie on"


def nrrd(path: Path) -> tuple[numpy.ndarray, dict]:
    head, _, body = path.read_bytes().partition(b"\n\n")
    lines = [line for line in head.decode().splitlines()[1:] if not line.startswith("#")]
    fields = dict(line.split(":", 1) for line in lines)
    fields = {key: value.strip(" =") for key, value in fields.items()}
    types = {"short": "<i2", "unsigned char": "u1", "unsigned short": "<u2"}
    body = gzip.decompress(body) if fields["encoding"] == "gzip" else body
    sizes = [int(size) for size in fields["sizes"].split()]
    return numpy.frombuffer(body, types[fields["type"]]).reshape(sizes[::-1]), fields


def check(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text())
    shape = expected["shape"]
    labels = numpy.frombuffer(path.with_suffix(".raw").read_bytes(), numpy.uint8).reshape(shape)
    # That of NIfTI takes x, y, z, highdicom's slice, row, column.
    scan = LPS_FROM_RAS @ numpy.array(expected["affine"])[:, [2, 1, 0, 3]]

    segmentation = highdicom.seg.segread(path)
    assert segmentation.segmentation_type.value == "BINARY"
    values = {}
    for segment in segmentation.SegmentSequence:
        value = int(segment.SegmentDescription.removeprefix("label "))
        label = next(label for label in expected["labels"] if label["value"] == value)
        values[segment.SegmentNumber] = value
        assert segment.SegmentLabel == label["name"], segment
        assert segment.SegmentAlgorithmType == "AUTOMATIC"
        lab = list(segment.RecommendedDisplayCIELabValue)
        color = highdicom.color.CIELabColor.from_dicom_value(lab).to_rgb(clip=True)
        assert numpy.abs(numpy.array(color) - label["color"]).max() <= 1, f"{color}, {label} is expected"
        check_codes(segment, label)
    assert sorted(values.values()) == sorted(set(numpy.unique(labels)) - {0})

    volume = segmentation.get_volume(combine_segments=True)
    of_number = numpy.zeros(256, dtype=numpy.uint8)
    for number, value in values.items():
        of_number[number] = value
    found = onto(of_number[volume.array], volume.affine, shape, scan)
    assert numpy.array_equal(found, labels), "highdicom's labels lie elsewhere"

    check_references(segmentation, expected, of_number, labels)

    with tempfile.TemporaryDirectory() as folder:
        convert = Path(sys.executable).with_name("segimage2itkimage")
        tool = [convert, "--inputDICOM", path, "--outputDirectory", folder, "--outputType", "nrrd"]
        said = subprocess.run(tool, capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stdout + said.stderr
        written = {}
        for file in sorted(Path(folder).glob("*.nrrd")):
            array, fields = nrrd(file)
            vectors = [eval(v) for v in fields["space directions"].split(" ")]
            affine = numpy.eye(4)
            affine[:3, :3] = numpy.array(vectors).T[:, ::-1]
            affine[:3, 3] = eval(fields["space origin"])
            assert fields["space"] == "left-posterior-superior"
            laid = onto(of_number[array], affine, shape, scan)
            for value in numpy.unique(laid[laid > 0]):
                written[int(value)] = laid == value
        for value in values.values():
            there = labels == value
            assert numpy.array_equal(written[value], there), f"dcmqi's label {value} lies elsewhere"
    print(f"{path.name}: {len(values)} segments, {segmentation.NumberOfFrames} frames")


def main() -> None:
    paths = sorted(Path(sys.argv[1]).glob("*.dcm"))
    assert paths, "no segmentation to read"
    for path in paths:
        try:
            check(path)
        except Exception as error:
            raise SystemExit(f"{path.name}: {type(error).__name__}: {error}") from error


main()
