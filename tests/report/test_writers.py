"""Reports as files, as other programs read them: PDF by poppler, workbooks by openpyxl and LibreOffice, CSV by Python's reader."""
import csv
import datetime
import io
import os
import re
import subprocess
import zipfile

import openpyxl
from fixtures import ROOT

TOOL = ROOT / "build" / "sanitize" / "tests" / "unit" / "report_tool"
ROWS = 150
COLUMNS = ["Requested", "Device", "Instance", "Comment", "Size", "Took", "Rules"]
TITLES = ["Key requests", "Requests by policy- all -of- th"]


def make(folder, form, rows=ROWS):
    file = folder / f"report.{form}"
    subprocess.run([TOOL, form, file, str(rows)], check=True)
    assert [p.name for p in folder.iterdir()] == [file.name], "nothing else is left"
    return file


def test_a_pdf_has_title_contents_numbers_and_headings_on_each_page(folder):
    # covers: RPT-1, RPT-3
    file = make(folder, "pdf")
    info = subprocess.run(["pdfinfo", file], capture_output=True, text=True, check=True).stdout
    pages = int(re.search(r"Pages:\s+(\d+)", info)[1])
    assert "Title:           Keys of the week" in info and pages > 8
    text = [subprocess.run(["pdftotext", "-layout", "-f", str(n), "-l", str(n), file, "-"], capture_output=True, text=True, check=True).stdout
            for n in range(1, pages + 1)]
    for fact in ("Keys of the week – Übersicht 週報", "Acme GmbH & Söhne", "2026-11-20 00:00 to 2026-11-27 00:00", "Europe/Berlin", "Erika Muster"):
        assert fact in text[0], fact
    entries = dict(re.findall(r"^(.+?)\s+\d+ rows\s+(\d+)$", text[1], re.M))
    assert set(entries) == {"Key requests", "Requests by policy: all [of] them/now", "Nothing"}
    for title, page in entries.items():
        assert text[int(page) - 1].lstrip().startswith(title), title
        assert re.search(rf"\s{page}\s*$", text[int(page) - 1]), "its own number is on the page"
    rows = [t for t in text if "web-1.example.org" in t]
    assert len(rows) > 4 and all(re.search(r"Requested\s+Device\s+Instance\s+Comment", t) for t in rows)
    whole = "\n".join(text)
    for said in ("Zażółć gęślą jaźń", "Привет", "日本語の説明", "한국어", "中文", "two lines and a tab", "1,234,567"):
        assert said in whole, said
    assert whole.count("2025-11-26 23:33:20") == 2 and "There is nothing in this period." in text[-1]


def test_a_pdf_shows_its_charts_and_letters(folder):
    # covers: RPT-3
    file = make(folder, "pdf")
    subprocess.run(["pdftoppm", "-r", "50", "-f", "3", "-l", "3", file, folder / "page"], check=True, stderr=subprocess.DEVNULL)
    picture, = folder.glob("page*.ppm")
    data = picture.read_bytes()
    size = re.match(rb"P6\s+(\d+) (\d+)\s+255\s", data)
    pixels = [data[i:i + 3] for i in range(size.end(), len(data), 3)]
    # The bars of both series, in their colours.
    for colour in (0x1a9e5c, 0xd64236):
        assert pixels.count(colour.to_bytes(3, "big")) > 200, hex(colour)
    # No letter is the empty box of a font that lacks it: the fonts are there, embedded, and have what was written.
    fonts = subprocess.run(["pdffonts", file], capture_output=True, text=True, check=True).stdout.splitlines()[2:]
    assert len(fonts) == 4 and all(re.search(r"\byes\b", line) for line in fonts), fonts


def test_a_workbook_has_a_sheet_per_section_with_dates_numbers_and_charts(folder):
    # covers: RPT-1, RPT-3
    book = openpyxl.load_workbook(make(folder, "xlsx"))
    assert book.sheetnames == ["Summary", TITLES[0], "Chart data", TITLES[1], "Nothing"]
    for title in TITLES:
        sheet = book[title]
        assert [c.value for c in sheet[1]] == COLUMNS
        assert sheet.freeze_panes == "A2" and sheet.auto_filter.ref == f"A1:G{ROWS + 1}" and sheet.max_row == ROWS + 1
        assert len(sheet._charts) == 1
        first, fourth = sheet[2], sheet[4]
        assert first[0].value == datetime.datetime(2025, 11, 26, 23, 33, 20) and first[0].is_date
        assert first[6].value == 1234567 and isinstance(first[4].value, int)
        # A text that looks like a formula stays a text.
        assert fourth[3].value == '=HYPERLINK("http://example.org")' and fourth[3].data_type in ("s", "inlineStr"), fourth[3].data_type
        assert sheet[6][5].value is None
    summary = book["Summary"]
    words = [c.value for row in summary.iter_rows() for c in row if c.value is not None]
    for said in ("Keys of the week – Übersicht 週報", "Europe/Berlin", "Key requests", ROWS, 0):
        assert said in words, said
    # Texts lie over no others, and times are not "###".
    long, = [row for row in summary.iter_rows() for c in row if str(c.value).startswith("A section without rows")]
    assert summary.row_dimensions[long[0].row].height == 30 and book[TITLES[0]].column_dimensions["A"].width >= 20


def test_libreoffice_opens_the_workbook(folder):
    # covers: RPT-1
    file = make(folder, "xlsx")
    home = folder / "home"
    subprocess.run(["soffice", "--headless", f"-env:UserInstallation=file://{home}", "--convert-to", "pdf", "--outdir", folder, file], check=True,
                   capture_output=True)
    text = subprocess.run(["pdftotext", "-layout", folder / "report.pdf", "-"], capture_output=True, text=True, check=True).stdout
    assert "Keys of the week" in text and "2025-11-26 23:33:20" in text and "日本語の説明" in text
    # The chart has been drawn: its axis and names are letters on the page.
    assert "Production databases" in text and "21 Nov" in text


def test_csv_is_one_file_per_section_and_harmless(folder):
    # covers: RPT-1
    with zipfile.ZipFile(make(folder, "csv")) as z:
        names = z.namelist()
        assert [n[:3] for n in names] == ["01-", "02-", "03-"] and not any(c in n for n in names for c in "/\\:*?")
        rows = list(csv.reader(io.StringIO(z.read(names[0]).decode(), newline="")))
        assert list(csv.reader(io.StringIO(z.read(names[2]).decode(), newline=""))) == [COLUMNS]
    assert rows[0] == COLUMNS and len(rows) == ROWS + 1
    assert rows[1][0] == "2025-11-26 23:33:20" and rows[1][6] == "1234567" and rows[2][5] == "7" and rows[5][5] == ""
    assert rows[3][3].startswith("'=HYPERLINK") and rows[4][3] == "'+1-2" and "日本語" in rows[2][3]


def peak(folder, form, rows):
    """Memory in KiB that writing so many rows takes."""
    file = folder / f"{rows}.{form}"
    p = subprocess.run(["/usr/bin/python3", "-c", "import resource, subprocess, sys\nsubprocess.run(sys.argv[1:], check=True)\n"
                        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)", str(TOOL), form, str(file), str(rows)],
                       env={**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=0:thread_local_quarantine_size_kb=0"}, capture_output=True, text=True, check=True)
    return int(p.stdout)


def test_many_rows_need_no_more_memory_than_few(folder):
    # covers: RPT-1, PERF-2
    for form in ("xlsx", "csv"):
        few, many = peak(folder, form, 2000), peak(folder, form, 60000)
        assert many < 1.5 * few, (form, few, many)


def test_more_rows_than_a_pdf_shows_are_counted(folder):
    # covers: RPT-1
    file = make(folder, "pdf", 10001)
    text = subprocess.run(["pdftotext", "-f", "2", "-l", "2", "-layout", file, "-"], capture_output=True, text=True, check=True).stdout
    assert "10,001 rows" in text
    whole = subprocess.run(["pdftotext", file, "-"], capture_output=True, text=True, check=True).stdout
    assert "These are the first 10,000 of 10,001 rows" in whole.replace("\n", " ")
