"""A table as Markdown, CSV and LaTeX, each beside one written by hand."""

from __future__ import annotations

import csv
import io

import pytest

from attcell.results.run_table import Figure, Row, Table
from attcell.results.run_table_text import FORMATS, as_csv, as_latex, as_markdown

OURS = Row(
    "stan_frame",
    "ucf101",
    {"top1": Figure(92.0, 0.7071), "mean_class_accuracy": Figure(80.123)},
    streams="frame",
    splits=("1", "2"),
    seeds=("0", "1"),
    num_videos=7517,
    num_unread=1,
    protocol={"crops": "10", "short_videos": "repeat", "segments": "25"},
    notes=("seed 2 lacks split 2 and does not count",),
)
PUBLISHED = Row(
    "TAN & co", "ucf101", {"top1": Figure(92.1), "mAP": Figure(None, is_lost=True)}, "TAN paper, Table 4"
)
OTHER = Row(
    "*a|b*",
    "",
    {"top1": Figure(None)},
    streams="frame, flow",
    num_videos=2,
    num_unread=0,
    protocol={"crops": "10", "short_videos": "repeat"},
)
TABLE = Table(
    (OURS, PUBLISHED, OTHER),
    ("top1", "mean_class_accuracy", "mAP"),
    {"crops": "10", "short_videos": "repeat"},
    ("segments",),
)
PLAIN = Table((OTHER,), ("top1",), {}, ())

MARKDOWN = r"""
| run | data set | streams | top1 % | mean class accuracy % | mAP % | splits | seeds | # |
| --- | --- | --- | ---: | ---: | ---: | --- | --- | ---: | ---: | --- |
| stan_frame | ucf101 | frame | 92.00 ± 0.71 | 80.12 | – | 1, 2 | 0, 1 | 7517 | 1 |  |
| TAN \& co (published) | ucf101 |  | 92.10 | – | lost |  |  |  |  | TAN paper, Table 4 |
| \*a\|b\* |  | frame, flow | – | – | – |  |  | 2 | 0 |  |

Protocol of all runs: crops 10, short videos repeat.

- segments: 25 (stan_frame on ucf101); not said (\*a\|b\*)
- figures: the mean over the splits of each seed, then over seeds ± the sample deviation; @
- stan_frame on ucf101: seed 2 lacks split 2 and does not count
- lost: the copy of the publication that is at hand has lost the number
""".lstrip().replace("#", "videos | unread | source")
MARKDOWN = MARKDOWN.replace("@", "videos and unread: of one seed, all splits together")

CSV = """
run,dataset,kind,source,streams,top1_mean,top1_deviation,@,splits,seeds,videos,unread,#,notes
stan_frame,ucf101,run,,frame,92.0000,0.7071,80.1230,,,,1 2,0 1,7517,1,10,repeat,25,%
TAN & co,ucf101,published,"TAN paper, Table 4",,92.1000,,,,,,,,,,,,,
*a|b*,,run,,"frame, flow",,,,,,,,,2,0,10,repeat,,
""".lstrip()
CSV = CSV.replace("@", "mean_class_accuracy_mean,mean_class_accuracy_deviation,mAP_mean,mAP_deviation")
CSV = CSV.replace("#", "protocol_crops,protocol_short_videos,protocol_segments")
CSV = CSV.replace("%", "seed 2 lacks split 2 and does not count")

LATEX = (
    r"""
% needs \usepackage{booktabs}
\begin{tabular}{lllrrrllrrl}
\toprule
run & data set & streams & top1 \% & mean class accuracy \% & mAP \% & splits & seeds & @ & source \\
\midrule
stan\_frame & ucf101 & frame & 92.00 $\pm$ 0.71 & 80.12 & -- & 1, 2 & 0, 1 & 7517 & 1 &  \\
TAN \& co (published) & ucf101 &  & 92.10 & -- & lost &  &  &  &  & TAN paper, Table 4 \\
{*}a\textbar{}b{*} &  & frame, flow & -- & -- & -- &  &  & 2 & 0 &  \\
\bottomrule
\end{tabular}
\par\smallskip
{\footnotesize
Protocol of all runs: crops 10, short videos repeat.\par
segments: 25 (stan\_frame on ucf101); not said ({*}a\textbar{}b{*})\par
figures: the mean over the splits of each seed, then over seeds $\pm$ the sample deviation; #\par
stan\_frame on ucf101: seed 2 lacks split 2 and does not count\par
lost: the copy of the publication that is at hand has lost the number\par
}
""".lstrip()
    .replace("@", "videos & unread")
    .replace("#", "videos and unread: of one seed, all splits together")
)


def test_markdown() -> None:
    assert as_markdown(TABLE) == MARKDOWN


def test_what_a_published_number_does_not_say_stands_below() -> None:
    noted = Row("VGG-16", "sports1m", {"top1": Figure(61.3)}, "a paper", notes=("derived: 63.7 − 2.4",))
    assert "- VGG-16 (published) on sports1m: derived: 63.7 − 2.4\n" in as_markdown(
        Table((noted,), ("top1",), {}, ())
    )


def test_csv() -> None:
    assert as_csv(TABLE) == CSV
    rows = list(csv.DictReader(io.StringIO(CSV)))
    assert float(rows[0]["top1_deviation"]) == 0.7071
    assert all(None not in row for row in rows), "every row has as many cells as the header"


def test_latex() -> None:
    assert as_latex(TABLE) == LATEX


def test_without_publications_and_notes_there_is_the_table_alone() -> None:
    assert as_markdown(PLAIN) == (
        "| run | data set | streams | top1 % | splits | seeds | videos | unread |\n"
        "| --- | --- | --- | ---: | --- | --- | ---: | ---: |\n"
        "| \\*a\\|b\\* |  | frame, flow | – |  |  | 2 | 0 |\n"
    )
    assert as_latex(PLAIN).endswith("\\bottomrule\n\\end{tabular}\n")


@pytest.mark.parametrize(
    ("name", "markdown", "latex"),
    [
        ("a_b", "a_b", r"a\_b"),
        ("_a_", r"\_a\_", r"\_a\_"),
        ("__a__b", r"\_\_a\_\_b", r"\_\_a\_\_b"),
        ("a\\b", r"a\\b", r"a\textbackslash{}b"),
        ("[x](y)", r"\[x\](y)", "{[}x](y)"),
        ("a\n b", "a b", "a b"),
        (
            "50% #1 $x^2$ {~}",
            r"50% #1 $x^2$ {\~}",
            r"50\% \#1 \$x\textasciicircum{}2\$ \{\textasciitilde{}\}",
        ),
        ("<b>`", r"\<b>\`", r"\textless{}b\textgreater{}`"),
        ("ü → é", "ü → é", r"ü $\to$ é"),
    ],
)
def test_names_are_shown_as_they_are(name: str, markdown: str, latex: str) -> None:
    table = Table((Row(name, "", {}, protocol={}),), (), {}, ())
    assert as_markdown(table).splitlines()[2].startswith(f"| {markdown} |  |")
    assert as_latex(table).splitlines()[5].startswith(f"{latex} &  &")
    assert next(iter(csv.DictReader(io.StringIO(as_csv(table), newline=""))))["run"] == name


def test_the_forms_that_there_are() -> None:
    assert list(FORMATS) == ["markdown", "csv", "latex"]
