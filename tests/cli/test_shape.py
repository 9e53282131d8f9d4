"""`secfpp shape`: relays as a process of its own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading

from secfpp.demo.launcher import free_ports


def test_the_process_relays_until_it_is_ended_and_says_what_passed(tmp_path):
    ports = free_ports(["listen", "to"])
    network = tmp_path / "network.toml"
    network.write_text(
        f'[[links]]\nlisten = "127.0.0.1:{ports["listen"]}"\nto = "127.0.0.1:{ports["to"]}"\n'
        'profile = "lan"\n'
    )
    target = socket.create_server(("127.0.0.1", ports["to"]))

    def answer() -> None:
        connection, _ = target.accept()
        assert connection.recv(100) == b"question"
        connection.sendall(b"answers")
        connection.close()

    answering = threading.Thread(target=answer)
    answering.start()
    command = [sys.executable, "-m", "secfpp", "shape", str(network), "--format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert b"leads to" in process.stderr.readline()
        with socket.create_connection(("127.0.0.1", ports["listen"]), timeout=20) as client:
            client.sendall(b"question")
            assert client.recv(100) == b"answers"
        answering.join(20)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=20)
    target.close()
    (link,) = json.loads(said)["data"]["links"]
    assert (link["bytes_there"], link["bytes_back"]) == (8, 7)
    assert process.returncode == 0


def test_a_network_without_links_and_no_network_at_all_are_refused(tmp_path):
    network = tmp_path / "network.toml"
    network.write_text("")
    for arguments, words in (
        ([str(network)], "has no [[links]]"),
        ([], "give either a network file, or --link LISTEN=TO, or --netem"),
        (["--link", "7801"], "--link 7801 is not LISTEN=TO"),
        (["--link", "a:1=b:2", "--profile", "wlan"], "'wlan' is no network profile"),
        (["--netem", "lo", "--profile", "wlan"], "'wlan' is no network profile"),
    ):
        command = [sys.executable, "-m", "secfpp", "shape", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert words in done.stderr
