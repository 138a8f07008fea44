from __future__ import annotations

import os

from akili_cli.core.sandbox import channel


def test_descriptors_arrive_closed_on_exec_and_refer_to_the_same_files() -> None:
    near, far = channel.pair()
    read, write = os.pipe()
    channel.send(near, b"hello", [read, write])
    data, found = channel.receive(far, 100, 4)
    assert data == b"hello"
    assert [os.get_inheritable(one) for one in found] == [False, False]
    os.write(found[1], b"x")
    assert os.read(read, 1) == b"x"
    for one in (read, write, *found):
        os.close(one)
    near.close()
    assert channel.receive(far, 100, 4) == (b"", [])
    far.close()


def test_an_adopted_descriptor_is_a_socket() -> None:
    near, far = channel.pair()
    adopted = channel.adopt(near.detach())
    adopted.send(b"x")
    assert far.recv(1) == b"x"
    adopted.close()
    far.close()
