#!/usr/bin/env python3
"""client.py SESSION FOLDER -- COMMAND: a session of the Python client with a server; FOLDER holds what the server works on.

Prints everything that it gets, whole. The sessions are the functions below.
"""
import asyncio
import json
import os
import sys

from mcp import Client, StdioServerParameters, stdio_client

session, folder, dashes, command = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
assert dashes == "--" and command


def show(what, result):
    plain = result.model_dump(mode="json", by_alias=True, exclude_none=True) if hasattr(result, "model_dump") else result
    print(what, json.dumps(plain, sort_keys=True, ensure_ascii=False), flush=True)


async def ask(what, asking):
    try:
        show(what, await asking)
    except Exception as e:
        show(what, {"exception": type(e).__name__, "words": str(e)})


async def filesystem(client):
    batch = folder + "/2026-11-batch.csv"
    change = {"path": batch, "edits": [{"oldText": "PENDING", "newText": "APPROVED"}]}
    await ask("tools", client.list_tools())
    for name, arguments in [
        ("list_allowed_directories", {}),
        ("list_directory", {"path": folder}),
        ("read_text_file", {"path": batch}),
        ("edit_file", change | {"dryRun": True}),
        ("edit_file", change),
        ("write_file", {"path": folder + "/note.txt", "content": "approved by j.doe: four-eyes \u2714 \u00dcberweisung \u652f\u6255\u3044\n"}),
        ("read_text_file", {"path": "/etc/passwd"}),
        ("read_multiple_files", {"paths": [batch, folder + "/note.txt", folder + "/missing.txt"]}),
        ("search_files", {"path": folder, "pattern": "*.csv"}),
        ("directory_tree", {"path": folder}),
        ("no_such_tool", {}),
    ]:
        await ask(name, client.call_tool(name, arguments))
    # Four at once: answers may come in any order, and each must find its question.
    names = ["2026-11-batch.csv", "note.txt", "missing.txt", "."]
    all_at_once = [client.call_tool("read_text_file", {"path": f"{folder}/{name}"}) for name in names]
    for name, result in zip(names, await asyncio.gather(*all_at_once, return_exceptions=True)):
        show("at once " + name, result if not isinstance(result, Exception) else str(result))


async def git(client):
    await ask("tools", client.list_tools())
    here = {"repo_path": folder}
    await ask("status", client.call_tool("git_status", here))
    with open(folder + "/retention.md", "a") as f:
        f.write("\n## 2026-11 revision\nTrade tapes: 6 years.\n")
    for name, arguments in [
        ("git_log", here | {"max_count": 5}),
        ("git_diff_unstaged", here),
        ("git_add", here | {"files": ["retention.md"]}),
        ("git_diff_staged", here),
        ("git_commit", here | {"message": "retention: trade tapes six years"}),
        ("git_show", here | {"revision": "HEAD"}),
        ("git_create_branch", here | {"branch_name": "legal-hold-2026-17"}),
        ("git_checkout", here | {"branch_name": "no-such-branch"}),
        ("git_branch", here | {"branch_type": "local"}),
        ("git_log", {"repo_path": "/etc"}),
    ]:
        await ask(name, client.call_tool(name, arguments))


async def sqlite(client):
    await ask("tools", client.list_tools())
    table = "CREATE TABLE claims(id TEXT PRIMARY KEY, patient TEXT, icd10 TEXT, cents INTEGER, state TEXT)"
    row = "INSERT INTO claims VALUES('C-1','pt-001','E11.9',12900,'filed')"
    for name, query in [
        ("create_table", table),
        ("write_query", row),
        ("write_query", row.replace("C-1", "C-2").replace("filed", "denied")),
        ("read_query", "SELECT state, COUNT(*) n, SUM(cents) total FROM claims GROUP BY state"),
        ("read_query", "DELETE FROM claims"),
        ("write_query", row),
        ("read_query", "SELEC * FROM claims"),
    ]:
        await ask(name, client.call_tool(name, {"query": query}))
    await ask("list_tables", client.call_tool("list_tables", {}))
    await ask("describe_table", client.call_tool("describe_table", {"table_name": "claims"}))
    await ask("append_insight", client.call_tool("append_insight", {"insight": "Half of all claims was denied."}))
    await ask("resources", client.list_resources())
    await ask("resource", client.read_resource("memo://insights"))
    await ask("prompts", client.list_prompts())
    await ask("prompt", client.get_prompt("mcp-demo", {"topic": "claims audit"}))


async def clock(client):
    await ask("tools", client.list_tools())
    for zone in ["Europe/Zurich", "Asia/Tokyo", "Nowhere/Atlantis"]:
        await ask(zone, client.call_tool("get_current_time", {"timezone": zone}))
    at = {"source_timezone": "America/New_York", "time": "16:30", "target_timezone": "Asia/Kolkata"}
    await ask("convert", client.call_tool("convert_time", at))
    await ask("convert", client.call_tool("convert_time", at | {"time": "half past four"}))


async def main():
    server = StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
    async with Client(stdio_client(server)) as client:
        await {"filesystem": filesystem, "git": git, "sqlite": sqlite, "clock": clock}[session](client)


try:
    asyncio.run(main())
except BaseException as e:
    while isinstance(e, BaseExceptionGroup) and len(e.exceptions) == 1:
        e = e.exceptions[0]
    show("ended by", {"exception": type(e).__name__, "words": str(e)})
    sys.exit(1)
