"""Debian's Chromium without a window, talked to through its command line alone, and a page that looks at another one."""
import html
import json
import pathlib
import re
import shutil
import subprocess

# Each page is loaded into a frame. What is looked at: every chart with its lines and texts, every text that another one covers or its box cuts off, and what the page loaded.
HARNESS = """<!DOCTYPE html><meta charset="utf-8"><iframe id="page" height="6000"></iframe>
<pre id="found">not loaded</pre><script>
const box = element => {{ const {{left, top, right, bottom}} = element.getBoundingClientRect(); return {{left, top, right, bottom}}; }};
const overlap = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 0.5 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.5;
const look = () => {{
  const frame = document.getElementById('page').contentWindow, page = frame.document;
  const charts = [...page.querySelectorAll('.chart')].map(chart => {{
    const svg = chart.querySelector('svg'), outline = box(svg), texts = [...svg.querySelectorAll('text')];
    const boxes = texts.map(box), covered = [];
    texts.forEach((text, i) => texts.slice(0, i).forEach((other, j) => {{
      if (overlap(boxes[i], boxes[j])) covered.push(text.textContent + ' / ' + other.textContent);
    }}));
    const cut = texts.filter((_, i) => boxes[i].left < outline.left - 0.5 || boxes[i].right > outline.right + 0.5 ||
      boxes[i].top < outline.top - 0.5 || boxes[i].bottom > outline.bottom + 0.5).map(text => text.textContent);
    return {{title: chart.querySelector('h4').textContent, run: chart.closest('.run')?.querySelector('h3').firstChild.textContent || '',
             legend: [...chart.querySelectorAll('.legend li')].map(item => item.textContent), texts: texts.map(text => text.textContent), covered, cut,
             colours: [...chart.querySelectorAll('.legend i')].map(mark => frame.getComputedStyle(mark)[mark.className === 'area' ? 'backgroundColor' : 'borderTopColor']),
             marks: [...svg.querySelectorAll('path')].map(path => ({{kind: path.getAttribute('class'), name: path.dataset.name || '',
               length: path.getTotalLength(), empty: !path.getAttribute('d'), inside: !path.getAttribute('d') ||
               (box(path).left >= outline.left && box(path).right <= outline.right + 0.5 && box(path).top >= outline.top - 0.5 && box(path).bottom <= outline.bottom + 0.5)}}))}};
  }});
  const wide = [...page.querySelectorAll('th, td, h3, .tile, .legend li, p')].filter(element => element.scrollWidth > element.clientWidth + 1 && element.clientWidth)
    .map(element => element.textContent);
  return {{charts, cramped: wide,
    tiles: [...page.querySelectorAll('.tile')].map(tile => [tile.children[1].textContent, tile.children[0].textContent]),
    runs: [...page.querySelectorAll('#runs tbody tr')].map(row => [...row.cells].map(cell => cell.innerText)),
    tables: Object.fromEntries(['booked', 'errors', 'alerts'].map(id => [id, [...page.querySelectorAll('#' + id + ' tbody tr')].map(row => [...row.cells].map(cell => cell.innerText))])),
    trouble: page.getElementById('trouble').hidden ? '' : page.getElementById('trouble').textContent, source: page.getElementById('source').textContent,
    background: frame.getComputedStyle(page.body).backgroundColor, colour: frame.getComputedStyle(page.body).color,
    loaded: frame.performance.getEntriesByType('resource').map(entry => entry.name),
    tooWide: page.documentElement.scrollWidth - page.documentElement.clientWidth}};
}};
const loaded = (element, address) => new Promise(done => {{ element.onload = done; element.src = address; }});
(async () => {{
  const found = [], frame = document.getElementById('page');
  for (const [address, width] of {pages}) {{
    frame.width = width;
    await loaded(frame, address);
    // Until what was asked for has been drawn, 20 s at most.
    for (let i = 0; i < 200 && !frame.contentWindow.document.querySelector('.chart path, #trouble:not([hidden])'); ++i) await new Promise(done => setTimeout(done, 100));
    found.push(look());
  }}
  document.getElementById('found').textContent = JSON.stringify(found);
}})();
</script>
"""


class Chromium:
    """Keeps its profile and its pages in `folder`."""

    def __init__(self, folder):
        assert shutil.which("chromium"), "chromium is not installed: it is in deploy/debian-packages.txt"
        self.folder = pathlib.Path(folder)

    def run(self, *flags):
        command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
                   "--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                   "--allow-file-access-from-files", "--enable-logging=stderr", f"--user-data-dir={self.folder}/profile", *flags]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=100)

    def look_at(self, *pages):
        """What each of the pages (address, width in pixels) has drawn, and what they have said on the console."""
        harness = self.folder / "harness.html"
        harness.write_text(HARNESS.format(pages=json.dumps(pages).replace("<", "\\u003c")), encoding="utf-8")
        dump = self.run("--dump-dom", "--virtual-time-budget=30000", harness.as_uri())
        found = re.search(r'<pre id="found">(.*?)</pre>', dump.stdout, re.DOTALL)
        assert found and found[1] != "not loaded", f"the page was not loaded: {dump.stderr[-3000:]}"
        return json.loads(html.unescape(found[1])), re.findall(r"CONSOLE[^\n]*", dump.stderr)

    def screenshot(self, address, file, width, height):
        self.run(f"--screenshot={pathlib.Path(file).resolve()}", "--virtual-time-budget=8000", f"--window-size={width},{height}", address)
