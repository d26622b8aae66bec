"""在没有网络的命名空间里接通回环，再运行一条命令。

用法：`python -m pipeline.tools.offline 命令`，见 `.ci/run`。
"""

import fcntl
import os
import socket
import struct
import sys

SIOCSIFFLAGS = 0x8914  # Linux <linux/sockios.h>
IFF_UP = 0x1


def main(command: list[str]) -> None:
    """接通 lo，换成那条命令。"""
    with socket.socket() as handle:
        request = struct.pack("16sh", b"lo", IFF_UP)
        fcntl.ioctl(handle, SIOCSIFFLAGS, request)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
