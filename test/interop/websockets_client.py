"""Python's websockets against a server of ours. Writes what it got as one JSON object.

    python3 websockets_client.py ws://host:port/sync/websocket CODE [CA]

CA is a file with the authorities that are trusted, for wss://.
"""
import asyncio
import json
import ssl
import sys

import websockets


async def refusal(url, tls):
    try:
        async with websockets.connect(url, ssl=tls):
            return 101
    except websockets.exceptions.InvalidStatusCode as error:
        return error.status_code
    except ssl.SSLCertVerificationError as error:
        return error.verify_message


async def main(url, code, ca=None):
    tls = ssl.create_default_context(cafile=ca) if ca else None
    result = {
        "no code": await refusal(url, tls),
        "unknown code": await refusal(url + "?code=ABCDEFGH", tls),
    }
    if ca:
        result["no authority"] = await refusal(url, ssl.create_default_context())
    full = f"{url}?code={code}&vsn=2.0.0"
    async with websockets.connect(full, max_size=None, ssl=tls) as socket:
        result["extensions"] = [extension.name for extension in socket.extensions]
        result["used code"] = await refusal(f"{url}?code={code}", tls)

        async def ask(event, frame_ref, **payload):
            topic = "phoenix" if event == "heartbeat" else f"transfer:{code}"
            await socket.send(json.dumps([None, frame_ref, topic, event, payload]))
            return json.loads(await socket.recv())

        result["heartbeat"] = await ask("heartbeat", 1)
        result["join"] = await ask("phx_join", "1", receiver_info={"user_name": "Änn"})
        result["count"] = await ask("request:count", "2", table="users", ref="2")
        # A list goes out as a message in fragments.
        text = json.dumps([None, "3", "x", "request:count", {"table": "users", "ref": "3"}])
        await socket.send([text[:5], text[5:20], text[20:]])
        result["fragments"] = json.loads(await socket.recv())
        big = await ask("request:records", "4", table="big", limit=1000, ref="4")
        result["big"] = sum(len(row["v"]) for row in big[4]["records"])
        await asyncio.wait_for(await socket.ping(b"there?"), 30)
        await socket.send(b"binary is passed over")
        result["after"] = await ask("heartbeat", "5")
        await socket.close(1000)
        result["closed"] = socket.close_code
    print(json.dumps(result))


asyncio.run(main(*sys.argv[1:]))
