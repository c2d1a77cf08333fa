"""Effects, one after the other."""

import logging
import os
import socket
import subprocess
import sys
import threading

from sqlalchemy import create_engine

HOME = os.environ.get("HOME")
print("imported")
with open(os.devnull, "w", encoding="utf-8") as nowhere:
    nowhere.write("x")
socket.socket().close()
threading.Thread(target=len, args=("",)).start()
subprocess.run([sys.executable, "-c", ""], check=True)
engine = create_engine("sqlite://")
logging.basicConfig(level="DEBUG")
