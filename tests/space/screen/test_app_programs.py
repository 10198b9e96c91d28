"""The Space as programs have it: named endpoints, the examples of its README, and MCP tools."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from PIL import Image

from loopback_hub.server import HubServer
from marrow import analyze
from tests.fuzz.visitor import Visitor
from tests.space.served import APP, Server, read_json, serve

README = APP.with_name("README.md")
TOOLS = {"analyze", "segmentation", "annotations", "report", "flag"}


def test_the_api_gives_what_python_gives(server, smear_file, smear, models):
    client = Client(server.url, verbose=False)
    image = handle_file(smear_file)
    expected = analyze(smear, models, 0.5).to_dict()
    assert client.predict(image, 0.5, api_name="/analyze") == json.loads(json.dumps(expected))
    for name in ("/segmentation", "/annotations"):
        with Image.open(client.predict(image, 0.5, api_name=name)) as picture:
            assert picture.size == (320, 320) and not np.array_equal(np.asarray(picture), smear)
    text, json_file, csv_file = client.predict(image, 0.5, api_name="/report")
    assert "4 found, 4 counted, 0 uncertain" in text and "|segmented neutrophil|NGS|3|75.0|" in text
    assert read_json(Path(json_file)) == json.loads(json.dumps(expected))
    assert len(Path(csv_file).read_text().splitlines()) == 5
    assert "Thank you" in client.predict(image, 0.5, "by program", True, api_name="/flag")
    assert [path for path in server.flags.glob("data/*/metadata.jsonl") if "by program" in path.read_text()]


def test_only_the_five_endpoints_are_public(server):
    named = Client(server.url, verbose=False).view_api(return_format="dict")["named_endpoints"]
    assert set(named) == {f"/{tool}" for tool in TOOLS}


def test_the_api_refuses_in_a_sentence_of_the_callers_language(server, smear_file, tmp_path):
    client = Client(server.url, verbose=False)
    with pytest.raises(AppError, match="Choose an image first"):
        client.predict(None, 0.5, api_name="/analyze")
    with pytest.raises(AppError, match="Tick the consent box"):
        client.predict(handle_file(smear_file), 0.5, "x", False, api_name="/flag")
    with pytest.raises(AppError, match="shorten it to 2000 characters"):
        client.predict(handle_file(smear_file), 0.5, "x" * 2001, True, api_name="/flag")
    french = Client(server.url, verbose=False, headers={"Accept-Language": "fr"})
    (tmp_path / "a.png").write_bytes(b"not an image")
    text, *_ = french.predict(handle_file(smear_file), 0.5, api_name="/report")
    assert "rapport M/E 3,0" in text and "|neutrophile segmenté|NGS|3|75,0|" in text
    with pytest.raises(AppError, match="n’est pas une image lisible"):
        french.predict(handle_file(tmp_path / "a.png"), 0.5, api_name="/segmentation")
    assert "Traceback" not in server.log.read_text()


def test_what_gradio_itself_refuses_is_a_sentence_in_the_callers_language(server, smear_file):
    for language, sentence in (("en", "This cannot be read: send an image"), ("fr", "Ceci ne peut être lu : envoyez")):
        visitor = Visitor(server.url, language)
        path = visitor.upload(smear_file)
        for image, confidence in ((path, 1.5), (path, "x"), ("/etc/passwd", 0.5), ([], 0.5), ({"path": 3}, 0.5)):
            assert visitor.endpoint("analyze", image, confidence)["error"].startswith(sentence)
    assert "Traceback" not in server.log.read_text()


def test_no_file_of_the_server_or_of_others_can_be_guessed(server, smear_file):
    visitor = Visitor(server.url)
    path = Path(visitor.upload(smear_file))
    assert re.fullmatch("[0-9a-f]{64}", path.parts[-2]), "the address holds a hash of the bytes"
    get = Visitor(server.url).http.get
    assert get(f"/gradio_api/file={path}").content == smear_file.read_bytes()
    others = (path.parent, path.parents[1], f"{path}/../..", f"{path.parent}x/{path.name}", "/etc/passwd")
    for other in (*others, server.log, server.flags, APP, APP.with_name("screen") / "app.py"):
        assert get(f"/gradio_api/file={other}").status_code in (403, 404), other


def test_the_examples_of_the_readme_run(server, smear_file, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert 'Client("NAMESPACE/bone-marrow-smear")' in code
    monkeypatch.chdir(smear_file.parent)
    (smear_file.parent / "smear.jpg").write_bytes(smear_file.read_bytes())
    exec(compile(code.replace("NAMESPACE/bone-marrow-smear", server.url), README.name, "exec"), {})
    assert "'NGS': 3" in capsys.readouterr().out


def test_what_waits_is_sent_at_shutdown(model_folders, smear_file, tmp_path):
    with HubServer() as hub:
        variables = hub.environment(tmp_path / "home", MARROW_FLAGS_REPO="tester/bone-marrow-flags")
        own = {key: value for key, value in variables.items() if key.startswith(("HF_", "MARROW_FLAGS_REPO"))}
        for server in serve(tmp_path, *map(str, model_folders), **own):
            client = Client(server.url, verbose=False)
            client.predict(handle_file(smear_file), 0.5, "late", True, api_name="/flag")
            (entry,) = server.flags.glob("data/*")
        sent = hub.read("datasets", "tester/bone-marrow-flags", f"data/{entry.name}/metadata.jsonl")
    assert json.loads(sent)["comment"] == "late"


def test_flags_that_cannot_be_sent_stay(model_folders, smear_file, tmp_path):
    with HubServer() as hub:
        variables = hub.environment(tmp_path / "home", MARROW_FLAGS_REPO="tester/bone-marrow-flags")
        own = {key: value for key, value in variables.items() if key.startswith(("HF_", "MARROW_FLAGS_REPO"))}
        for server in serve(tmp_path, *map(str, model_folders), **own):
            hub.close()
            client = Client(server.url, verbose=False)
            assert "Thank you" in client.predict(handle_file(smear_file), 0.5, "kept", True, api_name="/flag")
    (entry,) = server.flags.glob("data/*/metadata.jsonl")
    assert json.loads(entry.read_text())["comment"] == "kept"
    assert "The last flags could not be sent to tester/bone-marrow-flags" in server.log.read_text()


def test_the_space_starts_while_the_hub_is_away(model_folders, smear_file, tmp_path):
    with HubServer() as hub:
        variables = hub.environment(tmp_path / "home", MARROW_FLAGS_REPO="tester/bone-marrow-flags")
        port = urlsplit(hub.url).port
    own = {key: value for key, value in variables.items() if key.startswith(("HF_", "MARROW_FLAGS_REPO"))}
    for server in serve(tmp_path, *map(str, model_folders), **own):
        client = Client(server.url, verbose=False)
        assert "Thank you" in client.predict(handle_file(smear_file), 0.5, "early", True, api_name="/flag")
        (entry,) = server.flags.glob("data/*")
        back = HubServer(port=port)
        back.start()
    sent = back.read("datasets", "tester/bone-marrow-flags", f"data/{entry.name}/metadata.jsonl")
    back.close()
    assert json.loads(sent)["comment"] == "early"


def test_the_tools_are_described(server):
    async def list_tools(session: ClientSession) -> Any:
        return (await session.list_tools()).tools

    tools = {tool.name.removeprefix("bone_marrow_smear_"): tool for tool in _with_mcp(server, list_tools)}
    assert tools.keys() == TOOLS
    for tool in tools.values():
        assert "bone-marrow smear image" in tool.description or "Share an image" in tool.description
        described = tool.inputSchema["properties"]
        assert {"image", "confidence"} <= described.keys() and "request" not in described
        assert "below which a cell is left out" in described["confidence"]["description"]


def test_a_tool_counts_the_cells_of_an_image(server, smear_file):
    url = "data:image/png;base64," + base64.b64encode(smear_file.read_bytes()).decode()

    async def call(session: ClientSession) -> Any:
        names = [tool.name for tool in (await session.list_tools()).tools if tool.name.endswith("analyze")]
        return await session.call_tool(names[0], {"image": url, "confidence": 0.5})

    answer = _with_mcp(server, call)
    assert not answer.isError
    text = "".join(part.text for part in answer.content)
    assert re.search(r"['\"]NGS['\"]: 3", text)


def _with_mcp(server: Server, act: Any) -> Any:
    async def run() -> Any:
        async with streamable_http_client(f"{server.url}/gradio_api/mcp/") as (reader, writer, _):
            async with ClientSession(reader, writer) as session:
                await session.initialize()
                return await act(session)

    return asyncio.run(run())
