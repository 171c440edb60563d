"""The report: its words and numbers are computed, its text escaped, its page whole in itself."""

from __future__ import annotations

import base64
import csv
import re
import shutil
import time
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from augcore import FileFormatError

pytest.importorskip("matplotlib")
from drawing import add_sweep

from augcore.experiments import finished, report, style, tables, words
from augcore.experiments.markup import Markup, page, tag
from augcore.experiments.results import REFERENCE_COLUMNS

FLAT = [
    ("baseline", False, False, 1.0),
    ("random_proportional", False, False, 1.0),
    ("deterministic_proportional", False, False, 1.0),
]


def parsed(path):
    """The page as a tree; the parser refuses what is not well-formed."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>\n")
    return ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))


REFERENCES = ",".join(REFERENCE_COLUMNS) + "\n"


def text_of(tree):
    return " ".join(" ".join(tree.itertext()).split())


def set_accuracy(folder, choose):
    """Writes `choose(policy, size, round)` as every accuracy; references 0.8 and 0.9."""
    path = folder / "results.csv"
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["accuracy"] = repr(choose(row["policy"], int(row["size"]), int(row["round"])))
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (folder / "references.csv").write_text(REFERENCES + "translate,0.8,0.95,0.9,0.9,nan,0,10,1\n")


@pytest.fixture
def told(make_run):
    """What the report says of a run whose accuracies are given."""

    def tell(choose, **keywords):
        folder = make_run(n=100, sizes=(10, 25, 50), curves=FLAT, scores=("influence",), **keywords)
        set_accuracy(folder, choose)
        run = finished.read(folder)
        return words.lede(run, ""), " ".join(words.results(run, "translate", "influence")), folder

    return tell


# ---- words -----------------------------------------------------------------------------------------------------------


def test_words_tell_shares_of_the_gain(told):
    levels = {
        "baseline": {10: 0.81, 25: 0.83, 50: 0.85},
        "random_proportional": {10: 0.82, 25: 0.87, 50: 0.9},
        "deterministic_proportional": {10: 0.8, 25: 0.801, 50: 0.9},
    }
    lede, text, folder = told(lambda policy, size, _: levels[policy][size])
    assert lede == [
        "Augmenting 25 of 100 points chosen by influence (random proportional) reaches 70% (translate) of what "
        "augmenting all of them gains; as many drawn uniformly reach 30%."
    ]
    assert (
        "Random proportional reaches 20%, 70% and 100% of that gain with 10, 25 and 50 points, the baseline 10%, 30% "
        in text
    )
    assert "It is ahead of the baseline at 10, 25 and 50 points (95% interval of the difference)." in text
    assert "the highest mean is that of random proportional (87.0%)" in text
    assert "the lowest that of deterministic proportional (80.1%)" in text
    page = text_of(parsed(report.write([folder])))
    assert lede[0] in page
    assert "Augmenting all 100 points raises test accuracy from 80.0% to 90.0%." in page
    assert text in page


def test_words_are_plain_about_a_policy_that_loses(told):
    _, text, folder = told(lambda policy, size, _: 0.85 if policy == "baseline" else 0.79)
    assert "reaches \N{MINUS SIGN}10%, \N{MINUS SIGN}10% and \N{MINUS SIGN}10% of that gain" in text
    assert "It is behind the baseline at 10, 25 and 50 points" in text
    assert "ahead" not in text
    tree = parsed(report.write([folder]))
    assert [cell for cell in tree.iter("td") if cell.get("class") == "behind"]
    assert not [cell for cell in tree.iter("td") if cell.get("class") == "ahead"]


def test_words_do_not_decide_within_the_noise(told):
    noise = {0: -0.02, 1: 0.0, 2: 0.02}
    _, text, _ = told(lambda policy, size, round_: 0.85 + noise[round_] + 0.001 * (policy != "baseline"))
    assert "It cannot be told from the baseline at 10, 25 and 50" in text
    assert "ahead" not in text
    assert "behind" not in text


def test_one_round_alone_decides_nothing(told):
    _, text, _ = told(lambda policy, size, _: 0.85 + 0.01 * (policy != "baseline"), rounds=1)
    assert "reaches 60%" in text
    assert "interval" not in text


@pytest.mark.parametrize(("everything", "goes"), [("0.9", "90.00% to 90.00%"), ("0.85", "90.0% to 85.0%")])
def test_words_where_augmentation_does_not_help(make_run, everything, goes):
    folder = make_run()
    (folder / "references.csv").write_text(f"{REFERENCES}translate,0.9,0.95,{everything},{everything},0.9,5,10,1\n")
    tree = parsed(report.write([folder]))
    page = text_of(tree)
    assert "Augmenting everything does not raise the test accuracy with translate." in page
    assert f"Augmenting all 60 points does not help: test accuracy goes from {goes}" in page
    assert "undefined" in [cell.text for cell in tree.iter("td")]
    assert "nan" not in page.lower().split()


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.5, 0, "50%"), (-0.0001, 0, "0%"), (-0.126, 1, "\N{MINUS SIGN}12.6%"), (float("nan"), 1, "undefined")],
)
def test_percent(value, digits, text):
    assert words.percent(value, digits) == text


# ---- the page --------------------------------------------------------------------------------------------------------


def test_the_page_is_whole_in_itself(make_run):
    tree = parsed(report.write([make_run(augmentations=("translate", "crop"))]))
    images = list(tree.iter("img"))
    assert len(images) > 2 * (2 + 4 + 2) + 40
    for image in images:
        kind, data = image.get("src").split(",", 1)
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data, validate=True).startswith(b"\x89PNG")
        assert image.get("alt")
    for element in tree.iter():
        for name, value in element.attrib.items():
            if name in ("src", "href", "srcset", "action", "data", "poster"):
                assert value.startswith(("data:", "#")), f"{element.tag} {name}={value[:60]}"
    assert not [element.tag for element in tree.iter() if element.tag in ("script", "link", "iframe", "object", "base")]
    (sheet,) = tree.iter("style")
    assert not re.search(r"url\(|@import|https?:", sheet.text)
    anchors = {link.get("href").removeprefix("#") for link in tree.iter("a")}
    assert anchors == {section.get("id") for section in tree.iter("section")}
    assert not re.search(r"https?://", "".join(tree.itertext()))


def test_tags_are_balanced_for_html_too(make_run):
    """A browser does not take <p/> for an empty paragraph: only elements that are always empty may be written so."""

    class Checker(HTMLParser):
        stack: list[str] = []  # noqa: RUF012

        def handle_startendtag(self, name, attributes):
            assert name in ("img", "br", "meta"), name

        def handle_starttag(self, name, attributes):
            self.stack.append(name)

        def handle_endtag(self, name):
            assert self.stack.pop() == name

    checker = Checker()
    checker.feed(report.write([make_run()]).read_text())
    checker.close()
    assert checker.stack == []


HOSTILE = '<script>alert("1")</script>&amp;\'"]]><!-- \x00\x1b\ud800 $\\frac{1}'


def test_hostile_text_stays_text(make_run):
    folder = make_run("a<b>&\"'$x$", settings={HOSTILE: {"<b>": [HOSTILE, {"k": HOSTILE}]}, "dataset": "npz:<i>"})
    path = folder / "timings.csv"
    path.write_text('unit,seconds\n"<img src=x onerror=alert(1)>/1",1.5\n')
    tree = parsed(report.write([folder]))
    assert not list(tree.iter("script"))
    assert not list(tree.iter("b"))
    assert not [image for image in tree.iter("img") if image.get("onerror")]
    page = text_of(tree)
    assert '<script>alert("1")</script>&amp;\'"]]><!--' in page
    assert "<img src=x onerror=alert(1)>" in page
    assert "augcore: a<b>&\"'$x$" in page
    assert all(character in "\t\n" or ord(character) >= 32 for character in "".join(tree.itertext()))


def test_markup_escapes_all_but_its_own():
    inner = tag("b", "<&>")
    assert inner == "<b>&lt;&amp;&gt;</b>"
    assert tag("p", inner, ["<", Markup("<br/>")], class_='"x"', title=None) == (
        '<p class="&quot;x&quot;"><b>&lt;&amp;&gt;</b>&lt;<br/></p>'
    )
    assert tag("p", str(inner) + "") == tag("p", "<b>&lt;&amp;&gt;</b>")
    assert "<title>&lt;/title&gt;</title>" in page("</title>")


def test_the_report_is_the_same_each_time(make_run):
    folder = make_run(curves=FLAT)
    first = report.write([folder]).read_bytes()
    time.sleep(1.1)
    assert report.write([folder], folder / "again.html").read_bytes() == first
    shutil.copytree(folder, folder / "elsewhere" / folder.name)
    assert report.write([folder / "elsewhere" / folder.name]).read_bytes() == first


def test_tables_show_the_means(make_run):
    folder = make_run(n=100, sizes=(10, 25, 50), curves=FLAT, scores=("influence",))
    set_accuracy(folder, lambda policy, size, round_: 0.8 + size / 1000 + 0.01 * round_)
    rows = [[" ".join(cell.itertext()) for cell in row] for row in parsed(report.write([folder])).iter("tr")]
    half = 4.302652729911275 * 0.01 / np.sqrt(3) * 100
    assert ["baseline (uniform)", f"82.00 ± {half:.2f}", f"83.50 ± {half:.2f}", f"86.00 ± {half:.2f}"] in rows
    assert ["proportional", "81.00", "82.50", "85.00"] in rows
    area = ((82 + 83.5) / 2 * 15 + (83.5 + 86) / 2 * 25) / 40
    assert ["baseline (uniform)", f"{area:.2f} ± {half:.2f}"] in rows
    assert ["translate", "95.00%", "80.00%", "90.00%", "90.00%", "–"] in rows


# ---- several runs, files ---------------------------------------------------------------------------------------------


def test_several_runs_stand_side_by_side(make_run, tmp_path):
    one = make_run("one", settings={"C": 1.0}, augmentations=("translate", "rotate"))
    two = make_run("two", settings={"C": 2.5}, n=40, sizes=(1, 40), scores=("influence",), seed=1)
    out = report.write([one, two], tmp_path / "both.html")
    assert out == tmp_path / "both.html"
    tree = parsed(out)
    rows = [[(cell.text, cell.get("class")) for cell in row] for row in tree.iter("tr")]
    assert [("C", None), ("1.0", "text differs"), ("2.5", "text differs")] in rows
    assert [("dataset", None), ("mnist-sample", "text"), ("mnist-sample", "text")] in rows
    page = text_of(tree)
    assert "one: Augmenting" in page
    assert "two: Augmenting 1 of 40 points" in page
    captions = [caption.text for caption in tree.iter("figcaption")]
    assert "translate: one and two on the same axes. They differ in what all points and none give" not in captions
    assert "translate: one and two on the same axes." in captions
    assert not [caption for caption in captions if caption.startswith("rotate: one")]
    for name in ("one", "two"):
        assert f"{name}: random policies, translate, by influence." in captions
    assert "one: random policies, rotate, by loss." in captions


def test_equal_names_are_told_apart(make_run, tmp_path):
    folder = make_run()
    other = tmp_path / "other" / folder.name
    shutil.copytree(folder, other)
    path = report.write([folder, other])
    assert path == folder / "comparison.html"
    assert f"augcore: {folder.name} (1), {folder.name} (2)" in text_of(parsed(path))


def test_the_default_place_is_the_folder_and_nothing_else_is_written(make_run):
    folder = make_run()
    before = set(folder.rglob("*"))
    assert report.write([folder]) == folder / "report.html"
    assert set(folder.rglob("*")) == before | {folder / "report.html"}


def test_a_refused_report_leaves_the_old_one(make_run):
    folder = make_run()
    report.write([folder])
    old = (folder / "report.html").read_bytes()
    (folder / "references.csv").write_text("nothing\n")
    with pytest.raises(FileFormatError, match=r"references\.csv"):
        report.write([folder])
    assert (folder / "report.html").read_bytes() == old


def test_a_place_that_cannot_be_written(make_run, tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        report.write([make_run()], tmp_path / "nowhere" / "report.html")


def test_no_folders():
    with pytest.raises(ValueError, match="^folders: "):
        report.write([])


def test_one_folder_is_not_a_run(make_run, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileFormatError, match=r"empty.config\.json"):
        report.write([make_run(), tmp_path / "empty"])


def test_settings_are_shown_whole(make_run):
    deep = {"classes": [3, 8], "translate": {"magnitude": 2}, "hessian_l2": None, "exact": True}
    rows = [[cell.text for cell in row] for row in parsed(report.write([make_run(settings=deep)])).iter("tr")]
    for row in (["classes", "3, 8"], ["translate.magnitude", "2"], ["hessian_l2", "none"], ["exact", "true"]):
        assert row in rows
    assert ["C", "10.0"] in rows


# ---- other experiments -----------------------------------------------------------------------------------------------


def test_words_of_clusters_compare_with_as_many(make_run):
    names = ("baseline+clusters5", "random_proportional+clusters5")
    folder = make_run(n=100, sizes=(10, 25, 50), curves=[(n, False, False, 1.0) for n in names], scores=("alo",))
    set_accuracy(folder, lambda policy, size, _: 0.82 if policy == "baseline" else 0.85)
    run = finished.read(folder)
    assert words.lede(run, "") == [
        "Augmenting 25 of 100 points chosen by ALO (random proportional, 5 clusters) reaches 50% (translate) of what "
        "augmenting all of them gains; as many drawn uniformly from 5 clusters in turn reach 20%."
    ]
    (first, *_) = words.results(run, "translate", "alo")
    assert first == (
        "Random proportional, 5 clusters reaches 50%, 50% and 50% of that gain with 10, 25 and 50 points, the baseline "
        "20%, 20% and 20%."
    )
    rows = [[" ".join(cell.itertext()) for cell in row] for row in parsed(report.write([folder])).iter("tr")]
    assert [
        "proportional, 5 clusters",
        "50%",
        "+3.00 ± 0.00 ▲",
        "50%",
        "+3.00 ± 0.00 ▲",
        "50%",
        "+3.00 ± 0.00 ▲",
    ] in rows


def test_words_do_not_name_a_score_that_was_not_used(make_run):
    folder = make_run(n=100, sizes=(10, 25), curves=[("dpp", False, False, 1.0)], scores=("influence",))
    set_accuracy(folder, lambda policy, size, _: 0.85)
    run = finished.read(folder)
    assert words.lede(run, "") == [
        "Augmenting 25 of 100 points chosen by k-DPP reaches 50% (translate) of what augmenting all of them gains."
    ]
    assert words.results(run, "translate", "influence") == [
        "k-DPP reaches 50% and 50% of that gain with 10 and 25 points."
    ]


def test_a_run_without_curves_tells_what_there_is_to_gain(make_run):
    folder = make_run(curves=(), settings={"scores": ["influence"]})
    add_sweep(folder)
    run = finished.read(folder)
    assert words.lede(run, "") == [
        "Augmenting all 60 points raises test accuracy from 86.0% to 96.0% (translate).",
        "Of 3 numbers of clusters, 2 has the highest silhouette on the training set (0.50).",
    ]
    tree = parsed(report.write([folder]))
    headings = [heading.text for heading in tree.iter("h2")]
    assert headings == [
        *("Results", "Settings", "Tables", "Numbers of clusters", "Images of highest and lowest score"),
        *("Augmentations", "Scores before and after", "Seconds"),
    ]
    captions = [caption.text for caption in tree.iter("figcaption")]
    assert "3 numbers of clusters from 2 to 59." in captions


def test_references_alone_without_a_gain(make_run):
    folder = make_run(curves=())
    (folder / "references.csv").write_text(f"{REFERENCES}translate,0.9,0.95,0.9,0.9,nan,0,10,\n")
    run = finished.read(folder)
    assert words.lede(run, "r") == ["r: Augmenting everything does not raise the test accuracy with translate."]
    assert len(words.results(run, "translate", "loss")) == 0
    parsed(report.write([folder]))


def test_equal_policies_have_no_best_and_no_worst(told):
    _, text, _ = told(lambda policy, size, _: 0.85)
    assert "highest mean" not in text


def test_chosen_parameters_are_shown(make_run):
    folder = make_run(augmentations=("translate", "crop"), curves=FLAT)
    path = folder / "references.csv"
    path.write_text(re.sub(r",10\.0,1\.0\n$", ",0.01,\n", path.read_text()))
    rows = [[cell.text for cell in row] for row in parsed(report.write([folder])).iter("tr")]
    assert ["C, as used", "0.01, 10"] in rows
    assert ["svm_C, as used", "1, none"] in rows
    assert [cell for row in rows for cell in row if cell == "all, downweighted"] == ["all, downweighted"]


def test_ranks_of_scores_stand_in_a_table(make_run):
    folder = make_run(scores=("influence", "alo", "loss"), curves=FLAT)
    scores = [np.load(folder / f"arrays/scores-translate-{s}-before.npy") for s in ("influence", "alo", "loss")]
    expected = tables.spearman(np.abs(scores[0]), np.abs(scores[1]))
    rows = [[cell.text or "" for cell in row] for row in parsed(report.write([folder])).iter("tr")]
    assert ["", "influence", "ALO", "loss"] in rows
    (row,) = [row for row in rows if row[0] == "influence"]
    assert row[1:3] == ["1.00", f"{expected:.2f}".replace("-", "\N{MINUS SIGN}")]


def test_ranks_join_runs_on_the_same_points_only(make_run):
    folders = [make_run(name, scores=(score,), curves=FLAT[:1]) for name, score in (("one", "loss"), ("two", "margin"))]
    headers = lambda: [[cell.text or "" for cell in row] for row in parsed(report.write(folders)).iter("tr")]  # noqa: E731
    assert ["", "loss", "margin"] in headers()
    config = folders[1] / "config.json"
    config.write_text(config.read_text().replace("ab" * 32, "cd" * 32))
    assert ["", "loss", "margin"] not in headers()


def test_areas_over_other_sizes_are_told_apart(make_run, tmp_path):
    folders = [make_run("one", curves=FLAT), make_run("two", curves=FLAT, sizes=(1, 10))]
    headers = [[cell.text for cell in row] for row in parsed(report.write(folders)).iter("tr")]
    assert ["policy", "one, 1 to 60 points", "two, 1 to 10 points"] in headers


def test_classes_are_named(make_run):
    folder = make_run(curves=FLAT)
    names = ["<b>bold</b>", "car"]
    np.save(folder / "arrays/class_names.npy", np.array(names))
    tree = parsed(report.write([folder]))
    captions = {caption.text for caption in tree.iter("figcaption") if len(caption)}
    assert captions == {"<b>bold</b>", "car"}


def test_presenting_draws_each_picture_once(make_run, monkeypatch):
    """The report holds the very pictures that lie in the folder, and is the one that `write` makes."""
    folder = make_run(curves=FLAT, settings={"scores": ["influence", "loss"]})
    add_sweep(folder)
    drawn = []
    draw = style.png
    monkeypatch.setattr(style, "png", lambda figure: drawn.append(draw(figure)) or drawn[-1])
    path = report.present(folder)
    files = {file.read_bytes() for file in (folder / "figures").glob("*.png")}
    assert len(drawn) == len(files) == len(list((folder / "figures").glob("*.pdf")))
    charts = [image.get("src") for image in parsed(path).iter("img") if "chart" in (image.get("class") or "")]
    pictures = {base64.b64decode(source.partition(",")[2]) for source in charts}
    assert pictures <= files
    content = path.read_bytes()
    assert report.write([folder]).read_bytes() == content
    assert (folder / "tables" / "auc.csv").exists()


def test_every_table_says_what_it_holds(make_run):
    """One of areas for each augmentation: those of all scores and augmentations beside each other would be cut."""
    scores = ("influence", "alo", "gradient_dot", "hinge_loss")
    tree = parsed(report.write([make_run(augmentations=("translate", "rotate"), scores=scores)]))
    tables = [table for table in tree.iter("table") if table.get("class") != "settings"]
    captions = ["".join(table.find("caption").itertext()) for table in tables]
    assert all(captions)
    areas = [table for table, caption in zip(tables, captions, strict=True) if "area" in caption]
    assert [["".join(cell.itertext()) for cell in table.find("thead").iter("th")] for table in areas] == [
        ["policy", "influence", "ALO", "gradient dot", "hinge loss"]
    ] * 2


@pytest.mark.parametrize(
    ("accuracies", "digits"), [((0.9744, 0.9797), 2), ((0.8, 0.9), 1), ((0.97, 0.97), 2), ((0.9, 0.935), 1)]
)
def test_close_accuracies_are_told_apart(accuracies, digits):
    assert tables.digits(*accuracies) == digits
