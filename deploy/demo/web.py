"""One HTTP server on loopback for everything that the demo shows: the page, and the exporters of 64 nodes.

Prometheus asks the exporters through it as a proxy ("GET http://h100-01:9400/metrics"), so that its targets are named as on a real cluster.
"""
import http.server
import threading
import urllib.parse


class Server:
    """`pages`: path to (content type, text or function that makes it). `exporters`: host and port to a function that makes its metrics."""

    def __init__(self, pages, exporters):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # pylint: disable=invalid-name
                url = urllib.parse.urlsplit(self.path)
                if url.netloc:
                    make = exporters.get(url.netloc) if url.path == "/metrics" else None
                    kind = "text/plain; version=0.0.4; charset=utf-8"
                else:
                    kind, make = pages.get(url.path, ("", None))
                self.answer(kind, make)

            def answer(self, kind, make):
                if make is None:
                    kind, text, status = "text/plain; charset=utf-8", "not found\n", 404
                else:
                    text, status = (make() if callable(make) else make), 200
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_address[1]}"

    def start(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
