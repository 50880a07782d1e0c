"""nginx with the sample of this repository, in front of a server."""

import getpass
from pathlib import Path

from bench.processes import Server, free_port

MAIN = """
user {user}; pid {place}/nginx.pid; error_log {place}/error.log; daemon off; worker_processes 1;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  proxy_temp_path {place}/proxy; client_body_temp_path {place}/body; fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{behind}; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}
}}
"""


def nginx(folder: Path, behind: int) -> Server:
    place, port = folder / "nginx", free_port()
    place.mkdir()
    (place / "nginx.conf").write_text(MAIN.format(user=getpass.getuser(), place=place, port=port, behind=behind))
    return Server("nginx", ["nginx", "-c", str(place / "nginx.conf"), "-e", str(place / "error.log")], "/healthz", port=port)
