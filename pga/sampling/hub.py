"""Folders of models on the Hugging Face Hub, or a server of one's own that speaks its protocol (HF_ENDPOINT): `hf://user/name`."""

from __future__ import annotations

import re
from pathlib import Path

from pga.runtime.errors import UserError

PREFIX = "hf://"


def repository(address: str) -> str:
    """`user/name` of an address; raises UserError if it is no such address."""
    if not re.fullmatch(r"hf://[\w.-]+/[\w.-]+", address):
        raise UserError(f"{address}: accepted is hf://user/name")
    return address.removeprefix(PREFIX)


def download(address: str) -> Path:
    """The local copy of a model's folder, in the Hub's cache; files that are there already are not fetched again.

    Raises:
        UserError: the address is no model's, the server does not give it, or the extra `hub` is not installed.
    """
    name = repository(address)
    try:
        from huggingface_hub import snapshot_download
    except ModuleNotFoundError as error:
        raise UserError(f"{address}: huggingface-hub is not installed; it comes with: pip install 'pga[hub]'") from error
    try:
        return Path(snapshot_download(name, allow_patterns=["model.safetensors", "*.json"]))
    except (OSError, ValueError) as error:  # what the Hub's client raises of servers, networks and names
        raise UserError(f"{address}: {error}") from error


def upload(folder: Path, address: str) -> None:
    """Put a folder's files into a model's repository, which is made where there is none; HF_TOKEN or `hf auth login` says who may.

    Raises:
        UserError: the address is no model's, the server refuses, or the extra `hub` is not installed.
    """
    name = repository(address)
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined] # the client's, by the name that the Hub gives it
    except ModuleNotFoundError as error:
        raise UserError(f"{address}: huggingface-hub is not installed; it comes with: pip install 'pga[hub]'") from error
    try:
        HfApi().create_repo(name, exist_ok=True)
        HfApi().upload_folder(repo_id=name, folder_path=folder, commit_message="Model exported by pga")
    except (OSError, ValueError, HTTPError) as error:  # HTTPError: no connection
        raise UserError(f"{address}: {error}") from error
