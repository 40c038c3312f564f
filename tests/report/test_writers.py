"""Reports as files, as other programs read them: PDF by poppler, workbooks by openpyxl and LibreOffice, CSV by Python's reader."""
import csv
import datetime
import io
import os
import re
import struct
import subprocess
import zipfile
import zlib

import openpyxl
from fixtures import ROOT

TOOL = ROOT / "build" / "sanitize" / "tests" / "unit" / "report_tool"
ROWS = 150
COLUMNS = ["Requested", "Device", "Instance", "Comment", "Size", "Took", "Rules"]
TITLES = ["Key requests", "Requests by policy- all -of- th"]


def make(folder, form, rows=ROWS, *kind):
    file = folder / f"report.{form}"
    subprocess.run([TOOL, form, file, str(rows), *kind], check=True)
    assert [p.name for p in folder.iterdir()] == [file.name], "nothing else is left"
    return file


def test_a_pdf_has_title_contents_numbers_and_headings_on_each_page(folder):
    # covers: RPT-1, RPT-3
    file = make(folder, "pdf")
    info = subprocess.run(["pdfinfo", file], capture_output=True, text=True, check=True).stdout
    pages = int(re.search(r"Pages:\s+(\d+)", info)[1])
    assert "Title:           Keys of the week" in info and pages > 8
    text = [text_of(file, n) for n in range(1, pages + 1)]
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


def text_of(file, page):
    return subprocess.run(["pdftotext", "-layout", "-f", str(page), "-l", str(page), file, "-"], capture_output=True, text=True, check=True).stdout


def fonts_of(file):
    """The TrueType fonts that are in the file, as they are there."""
    data = file.read_bytes()
    for m in re.finditer(rb"stream\r?\n", data):
        try:
            font = zlib.decompressobj().decompress(data[m.end():])
        except zlib.error:
            continue
        if font[:4] == b"\0\1\0\0":
            yield font


def lacking(font):
    """The glyphs of a font that are made of others that are not in it."""
    tables = {font[i:i + 4]: struct.unpack(">II", font[i + 8:i + 16]) for i in range(12, 12 + 16 * struct.unpack(">H", font[4:6])[0], 16)}
    head, maxp, glyf, (loca, size) = tables[b"head"][0], tables[b"maxp"][0], tables[b"glyf"][0], tables[b"loca"]
    count, = struct.unpack(">H", font[maxp + 4:maxp + 6])
    wide = font[head + 51]
    places = struct.unpack(f">{count + 1}{'I' if wide else 'H'}", font[loca:loca + size][:(count + 1) * (4 if wide else 2)])
    places = [glyf + p * (1 if wide else 2) for p in places]
    for n in range(count):
        at, flags = places[n] + 10, 32
        if places[n] == places[n + 1] or font[places[n]:places[n] + 2] != b"\xff\xff":
            continue
        while flags & 32:
            flags, part = struct.unpack(">HH", font[at:at + 4])
            at += 4 + (4 if flags & 1 else 2) + (2 if flags & 8 else 4 if flags & 64 else 8 if flags & 128 else 0)
            if places[part] == places[part + 1]:
                yield n, part


def test_a_pdf_bears_whatever_texts_there_are(folder):
    # covers: RPT-3
    file = make(folder, "pdf", 600, "odd")
    info = subprocess.run(["pdfinfo", file], capture_output=True, text=True, check=True).stdout
    assert re.search(r"Title: +Ä{255}\n", info), info
    # A letter has all its parts: dots, accents, what joins it to the next.
    faces = list(fonts_of(file))
    assert len(faces) >= 3 and [missing for face in faces for missing in lacking(face)] == []
    boxes = subprocess.run(["pdftotext", "-bbox", "-l", "20", file, "-"], capture_output=True, text=True, check=True).stdout
    pages = [[tuple(map(float, w[:4])) + (w[4],) for w in re.findall(r'<word xMin="(.+?)" yMin="(.+?)" xMax="(.+?)" yMax="(.+?)">(.*?)</word>', page)]
             for page in boxes.split("<page ")[1:]]
    # Nothing leaves the page, and nothing runs into what stands at its foot.
    for n, words in enumerate(pages, 1):
        for left, top, right, bottom, word in words:
            assert 0 < left and right < 842 and 0 < top and (bottom < 560 or top > 565), (n, left, top, right, bottom, word)
    # The pages that there may be are for all sections: of a long one the first rows are shown, and it says so.
    assert 150 < int(re.search(r"Pages:\s+(\d+)", info)[1]) < 300
    second, = re.findall(r"^Zero +600 rows +(\d+)$", text_of(file, 2), re.M)
    last = text_of(file, int(second) - 2) + text_of(file, int(second) - 1)
    assert re.search(r"These are the first \d+ of 600 rows", last) and "Texts that end with … are longer" in last, last
    assert "6f1e7c1e-7d9b-4a51-9a57-3b3f0a8f2c11" in text_of(file, 4), "an id is whole where there is room"


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


def test_workbook_and_csv_hold_whatever_texts_there_are(folder):
    # covers: RPT-1, RPT-3
    book = openpyxl.load_workbook(make(folder, "xlsx", 60, "odd"))
    (folder / "report.xlsx").unlink()
    assert book.properties.title == "Ä" * 255 and book.properties.creator == "W" * 255
    cells = [c for row in book["Many"].iter_rows(min_row=2) for c in row]
    texts = {c.value for c in cells if c.data_type in ("s", "inlineStr")}
    for whole in ("word " * 1000, "長" * 5000, "https://example.org/a-path?" * 185, "=cmd|' /C calc'!A0", "a b [31mc d\ufffd\u202ee\u200b", "?? broken"):
        assert whole in texts, whole[:40]
    # Rows are as high as their texts, and the chart beside them is not drawn out by that: 518 pixels are 388 points.
    sheet = book["Many"]
    heights = [sheet.row_dimensions[n].height or 15 for n in range(1, sheet.max_row + 1)]
    anchor = sheet._charts[0].anchor
    assert max(heights) == 300 and abs(sum(heights[anchor._from.row:anchor.to.row]) - 388) < 100, heights
    # No cell is a formula; what no workbook counts in days is a text.
    assert not [c for c in cells if c.data_type == "f"] and any(t.startswith("1897-02-") for t in texts)
    assert datetime.datetime(1970, 1, 1) in {c.value for c in cells}
    with zipfile.ZipFile(make(folder, "csv", 60, "odd")) as z:
        rows = list(csv.reader(io.StringIO(z.read(z.namelist()[1]).decode(), newline="")))
    texts = {text for row in rows for text in row}
    for whole in ("word " * 1000, "長" * 5000, "'=cmd|' /C calc'!A0", "'+1", "'@SUM(A1)", "'-2+3", " tab first", "9223372036854775807"):
        assert whole in texts, whole[:40]
    assert len(rows) == 61 and {len(row) for row in rows} == {7}


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
        assert [n[:3] for n in names] == ["00-", "01-", "02-", "03-"] and not any(c in n for n in names for c in "/\\:*?")
        about, rows, _, none = [list(csv.reader(io.StringIO(z.read(n).decode(), newline=""))) for n in names]
        assert none == [COLUMNS]
    # Whose they are, and in which zone the times are.
    assert about[0] == ["Keys of the week – Übersicht 週報"] and ["Time zone", "Europe/Berlin"] in about and ["Account", "Acme GmbH & Söhne"] in about
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
    second, = re.findall(r"^Requests by policy.+ 10,001 rows +(\d+)$", text, re.M)
    # The page before the second part is the last of the first one.
    last = str(int(second) - 1)
    whole = subprocess.run(["pdftotext", "-f", last, "-l", last, file, "-"], capture_output=True, text=True, check=True).stdout
    assert "These are the first 10,000 of 10,001 rows" in whole.replace("\n", " ")
