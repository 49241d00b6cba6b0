#!/usr/bin/python3
"""A PhoenixKit site that sends tables, as a script tells it: for tests of the client.

usage: phoenix_sender.py SCRIPT LOG

Prints the ports of its WebSocket and of its HTTP JSON API in one line, and serves until it is
killed. LOG gets a line for each request and message that comes. SCRIPT is JSON:

  tables   {name: {"columns": [...], "key": [...], "rows": [record as JSON text, ...],
            "depends_on": [...], which only the HTTP JSON API tells}}
  prefix   where the site is mounted; the default is /phoenix_kit
  codes    {code: play}: what happens to who comes with that code
  tokens   {SHA-256 of the token in hexadecimal: play}
  sites    {call: [status, body]}: answers to what sites tell each other of connections
  tls      [certificate file, key file]: both ports speak TLS

A play of a code may have
  version        phoenix_kit_version (0.2.1)
  refuse         [status, body] in place of the upgrade
  join           "never", "mismatch"
  tables         further tables
  before, after  {event: [message, ...]} sent before and after the answer; REF and TOPIC are replaced
  instead        {event: message, null (silence), a number (close with that code)}
  delay          {event: seconds} before the answer, while which heartbeats are answered
  twice          each answer comes twice
  idle           seconds of silence after which it closes with 1002
  fragments      messages go in fragments of that many characters
  page           rows at most, whatever is asked for; has_more is true to the facts
  more           has_more is always true
  same           each page is the first one, whatever the offset
  after_page     {n: {"insert": [record, ...], "remove": rows}} at the front, after the n-th page
A play of a token may have
  pull_limit     rows that pull-data gives at most
  answer         {call: [status, body]} in its place
  page_rows      rows of table-records at most (100)
"""
import asyncio
import http.server
import json
import ssl
import sys
import threading

import websockets

KEPT = 1000  # PhoenixKit's exporter gives no more rows than that


class Site:
    def __init__(self, script, log):
        self.script = script
        self.prefix = script.get("prefix", "/phoenix_kit")
        self.tls = None
        if "tls" in script:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*script["tls"])
        self.log_file = open(log, "a", buffering=1)
        self.spent = set()

    def log(self, *what):
        print(*what, file=self.log_file)

    def tables(self, play):
        return {**self.script.get("tables", {}), **play.get("tables", {})}


class Channel:
    """One socket, from the join on."""

    def __init__(self, site, socket, code):
        self.site, self.socket = site, socket
        self.play = site.script["codes"][code]
        self.topic = f"transfer:{code}"
        self.tables = {n: dict(t, rows=list(t["rows"])) for n, t in site.tables(self.play).items()}
        self.joined = False
        self.pages = 0

    async def send(self, text):
        size = self.play.get("fragments")
        if size:
            await self.socket.send(text[i : i + size] for i in range(0, len(text), size))
        else:
            await self.socket.send(text)

    async def reply(self, ref, topic, status, response):
        payload = json.dumps({"status": status, "response": response})
        await self.send(f'[null,{json.dumps(ref)},"{topic}","phx_reply",{payload}]')

    async def messages(self):
        while True:
            try:
                yield await asyncio.wait_for(self.socket.recv(), self.play.get("idle"))
            except asyncio.TimeoutError:
                await self.socket.close(1002)
                return
            except websockets.ConnectionClosedOK:
                return

    async def run(self):
        async for text in self.messages():
            _, ref, topic, event, payload = json.loads(text)
            self.site.log(event, json.dumps(payload, sort_keys=True))
            if event == "heartbeat":
                await self.reply(ref, topic, "ok", {})
            elif event == "phx_join":
                await self.join(ref, topic)
            elif event in self.play.get("delay", {}):
                asyncio.get_running_loop().create_task(self.answer_late(event, payload))
            elif self.joined:
                await self.answer(event, payload)

    async def answer_late(self, event, payload):
        await asyncio.sleep(self.play["delay"][event])
        await self.answer(event, payload)

    async def join(self, ref, topic):
        how = self.play.get("join")
        if how == "never":
            return
        if how == "mismatch" or topic != self.topic:
            await self.reply(ref, topic, "error", {"reason": "code_mismatch"})
            return
        self.joined = True
        await self.reply(ref, topic, "ok", {})

    async def extra(self, when, event, ref):
        for message in self.play.get(when, {}).get(event, []):
            if isinstance(message, list):  # a binary frame
                await self.socket.send(bytes(message))
            else:
                await self.send(message.replace("REF", ref).replace("TOPIC", self.topic))

    async def answer(self, event, payload):
        ref = payload["ref"]
        instead = self.play.get("instead", {})
        await self.extra("before", event, ref)
        if event in instead:
            message = instead[event]
            if isinstance(message, int):
                await self.socket.close(message)
            elif message is not None:
                await self.send(message.replace("REF", ref).replace("TOPIC", self.topic))
            return
        what = event.split(":")[1]
        name = payload.get("table")
        if name is not None and name not in self.tables:
            text = {
                "schema": f"Table not found: {name}",
                "count": "Failed to get count: :table_not_found",
                "records": "Failed to fetch records: :table_not_found",
            }[what]
            answer, what = '"error":' + json.dumps(text), "error"
        else:
            answer = getattr(self, "get_" + what)(payload)
        text = f'[null,null,"{self.topic}","response:{what}",{{{answer},"ref":"{ref}"}}]'
        for _ in range(2 if self.play.get("twice") else 1):
            await self.send(text)
        await self.extra("after", event, ref)

    def get_capabilities(self, _):
        return '"capabilities":' + json.dumps(
            {
                "version": "1.0.0",
                "phoenix_kit_version": self.play.get("version", "0.2.1"),
                "features": ["list_tables", "get_schema", "fetch_records"],
            }
        )

    def get_tables(self, _):
        entries = [{"name": n, "estimated_count": len(t["rows"])} for n, t in sorted(self.tables.items())]
        return '"tables":' + json.dumps(entries)

    def get_schema(self, payload):
        table = self.tables[payload["table"]]
        return '"schema":' + json.dumps(
            {
                "table": payload["table"],
                "schema": "public",
                "primary_key": table.get("key", []),
                "columns": table["columns"],
            }
        )

    def get_count(self, payload):
        return f'"count":{len(self.tables[payload["table"]]["rows"])}'

    def get_records(self, payload):
        table = self.tables[payload["table"]]
        offset, limit = payload["offset"], payload["limit"]
        begin = 0 if self.play.get("same") else offset
        end = begin + min(limit, self.play.get("page", KEPT))
        rows = table["rows"][begin:end]
        more = len(rows) == limit
        if "page" in self.play:
            more = end < len(table["rows"])
        more = more or self.play.get("more", False)
        self.pages += 1
        change = self.play.get("after_page", {}).get(str(self.pages), {})
        table["rows"][: change.get("remove", 0)] = change.get("insert", [])
        return f'"records":[{",".join(rows)}],"offset":{offset},"has_more":{json.dumps(more)}'


async def serve_sockets(site):
    status = json.dumps({"enabled": True, "incoming_mode": "deny_all", "password_required": False})

    def code_of(path):
        query = path.partition("?")[2].split("&")
        return next((p[5:] for p in query if p.startswith("code=")), "")

    async def before_upgrade(path, _headers):
        site.log("GET", path)
        if path == site.prefix + "/sync/api/status":
            return http.HTTPStatus.OK, {"Content-Type": "application/json"}, status.encode()
        if not path.startswith(site.prefix + "/sync/websocket?"):
            return http.HTTPStatus.NOT_FOUND, {"Content-Type": "text/html"}, b"<html>Not Found</html>"
        code = code_of(path)
        play = site.script["codes"].get(code)
        refuse = (play or {}).get("refuse")
        if play is None:
            refuse = [403, "Invalid code"]
        elif code in site.spent:
            refuse = [403, "Code already used"]
        if refuse:
            return http.HTTPStatus(refuse[0]), {"Content-Type": "text/plain; charset=utf-8"}, refuse[1].encode()
        site.spent.add(code)
        return None

    async def handle(socket, path):
        channel = Channel(site, socket, code_of(path))
        try:
            await channel.run()
            site.log("closed", socket.close_code)
        except websockets.ConnectionClosedError:
            site.log("lost")

    server = await websockets.serve(
        handle,
        "127.0.0.1",
        0,
        process_request=before_upgrade,
        max_size=None,
        compression=None,
        close_timeout=0.5,  # it waits for no goodbye
        ssl=site.tls,
    )
    return server.sockets[0].getsockname()[1]


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site = None

    def log_message(self, *_):
        pass

    def respond(self, status, body, kind="application/json"):
        body = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.site.log("GET", self.path)
        if self.path == self.site.prefix + "/sync/api/status":
            self.respond(200, '{"enabled":true,"incoming_mode":"deny_all","password_required":false}')
        else:
            self.respond(404, "<html>Not Found</html>", "text/html")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.site.log("POST", self.path, body.decode())
        start = self.site.prefix + "/sync/api/"
        if not self.path.startswith(start):
            self.respond(404, "<html>Not Found</html>", "text/html")
            return
        name = self.path[len(start) :]
        if name in self.site.script.get("sites", {}):
            self.respond(*self.site.script["sites"][name])
            return
        request = json.loads(body)
        play = self.site.script.get("tokens", {}).get(request.get("auth_token_hash"))
        if play is None:
            self.respond(401, '{"success":false,"error":"Invalid connection"}')
            return
        if name in play.get("answer", {}):
            self.respond(*play["answer"][name])
            return
        tables = self.site.tables(play)
        if name == "list-tables":
            entries = [
                {
                    "name": n,
                    "row_count": len(t["rows"]),
                    "size_bytes": 8192,
                    "checksum": None,
                    "depends_on": t.get("depends_on", []),
                }
                for n, t in sorted(tables.items())
            ]
            self.respond(200, json.dumps({"success": True, "tables": entries}))
            return
        table = tables.get(request.get("table_name"))
        if table is None:
            self.respond(404, '{"success":false,"error":"Table not found"}')
        elif name == "table-schema":
            columns = [
                {
                    "column_name": c["name"],
                    "data_type": c["type"],
                    "is_nullable": "YES" if c.get("nullable", True) else "NO",
                    "column_default": None,
                    "character_maximum_length": c.get("max_length"),
                }
                for c in table["columns"]
            ]
            schema = {"table_name": request["table_name"], "columns": columns}
            self.respond(200, json.dumps({"success": True, "schema": schema}))
        elif name == "pull-data":
            rows = table["rows"][: play.get("pull_limit", 10000)]
            self.respond(200, '{"success":true,"table":"t","data":[' + ",".join(rows) + "]}")
        elif name == "table-records":
            limit = min(request.get("limit", 10), play.get("page_rows", 100))
            rows = table["rows"][request.get("offset", 0) :][:limit]
            self.respond(200, '{"success":true,"records":[' + ",".join(rows) + "]}")
        else:
            self.respond(404, '{"errors":{"detail":"Not Found"}}')


async def main():
    with open(sys.argv[1], encoding="utf-8") as script:
        site = Site(json.load(script), sys.argv[2])
    Api.site = site
    api = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    if site.tls is not None:
        # Not while it accepts: one peer that says nothing would keep all others waiting.
        api.socket = site.tls.wrap_socket(api.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    port = await serve_sockets(site)
    print(port, api.server_address[1], flush=True)
    await asyncio.Future()


asyncio.run(main())
