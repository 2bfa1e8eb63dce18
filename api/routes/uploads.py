"""Uploading a recording: an app says who speaks and when, sends the bytes, and is told the note that became of them."""

import asyncio
import math
import secrets
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from api.callers import Reader, SharedContext, Writer
from api.context import Context
from api.model_choice import choose_model_of_note, id_of
from api.problems import Problem, bad_parameter, no_such
from api.upload_bodies import NewUploadBody, UploadBody
from api.uploading import LIFETIME, Place, check_time, make_put
from db import notes, uploads
from db.api_keys import ApiKey
from db.reasons import UploadState
from db.uploads import NewUpload, TooManyOpen, Upload
from storage.errors import ObjectMissing, StorageDenied, StorageError
from storage.local_uploads import LocalUpload, TooManyBytes
from storage.uploads import HEADER_PREFIX, Speaker, bind, make_sidecar, read_metadata

router = APIRouter(tags=["uploads"])
_RETRY_S = 5
_FILE = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
_ID = r"^[0-9a-f]{32}$"
UploadId = Annotated[
    str, Path(pattern=_ID, description="As its POST answered.", examples=["0f5a3c9d7b214e6f8a1b2c3d4e5f6071"])
]


@router.post("/v1/uploads", status_code=201, summary="Begin an upload")
def create_upload(
    request: Request, response: Response, context: SharedContext, key: Writer, said: NewUploadBody
) -> UploadBody:
    """Say who speaks and when, and learn where the bytes go.

    Send them with the `put` of the answer until `expires_at`, then say so at `/v1/uploads/{upload_id}/complete`. What
    nobody completes is found by the next scan.
    """
    now = datetime.now(UTC)
    settings = context.uploads.settings
    check_time(said, zone=settings.time_zone, now=now)
    if said.size_bytes is not None and said.size_bytes > context.uploads.max_bytes:
        message = f"more than {context.uploads.max_bytes} bytes are not taken"
        raise bad_parameter("body", "size_bytes", message=message, value=str(said.size_bytes))
    if context.naming.is_pseudonym(said.subject):
        message = "a pseudonym as answers show it; give the person's name"
        raise bad_parameter("body", "subject", message=message, value=said.subject)
    place = context.uploads.place()
    zone = said.time_zone or (settings.time_zone if "T" not in said.recorded_at.upper() else None)
    speaker = Speaker(subject=said.subject, recorded_at=said.recorded_at, tenant=key.tenant, zone=zone)
    request.state.subject = context.naming.store(said.subject)
    upload = _create(request, context, key, said=said, speaker=speaker, place=place)
    request.state.resource = upload.id  # its URL is a right, and its headers name the person
    response.headers["Location"] = f"/v1/uploads/{upload.id}"
    is_open = upload.state is UploadState.OPEN and not upload.is_over
    try:
        put = make_put(place, upload, said, speaker, now=now) if is_open else None
    except StorageError:
        raise _unavailable() from None
    return UploadBody.of(upload, None, put)


@router.get("/v1/uploads/{upload_id}", summary="One upload")
def get_upload(context: SharedContext, key: Reader, upload_id: UploadId) -> UploadBody:
    """Say how far an upload is, and which note has become of it."""
    return _tell(context, key, _find(context, key, upload_id))


@router.put("/v1/uploads/{upload_id}/content", summary="Send the bytes", openapi_extra={"requestBody": _FILE})
async def put_content(request: Request, context: SharedContext, key: Writer, upload_id: UploadId) -> UploadBody:
    """Take the bytes of an upload, where recordings lie in a folder of this server; it is complete then.

    The headers are those of the answer that began it. The body is the file and nothing else.
    """
    upload = await run_in_threadpool(_find, context, key, upload_id)
    place = await run_in_threadpool(context.uploads.place)
    if place.sign is not None or upload.store != "local":
        detail = "The bytes of this upload go to the URL that its POST answered."
        raise Problem(409, "upload-closed", detail=detail)
    _require_open(upload)
    speaker = _read_headers(request, context, upload)
    remaining_s = (upload.expires_at - datetime.now(UTC)).total_seconds()
    try:
        async with asyncio.timeout(max(1.0, remaining_s)):
            done = await _stream(request, context, upload, place=place, speaker=speaker)
    except TimeoutError:
        raise Problem(408, "too-slow", detail="The bytes did not all come in time: begin a new upload.") from None
    except TooManyBytes:
        raise _too_large(context.uploads.max_bytes) from None
    except StorageError:
        raise _unavailable() from None
    return await run_in_threadpool(_tell, context, key, done)


@router.post("/v1/uploads/{upload_id}/complete", summary="Say that the bytes are there")
def complete_upload(context: SharedContext, key: Writer, upload_id: UploadId) -> UploadBody:
    """Have an upload scored now; again changes nothing. It looks whether the bytes are there."""
    upload = _find(context, key, upload_id)
    if upload.state is UploadState.OPEN:
        _check_object(context, upload)
        received = uploads.receive(context.engine, key.tenant, upload_id)
        if received is None:
            raise no_such("upload")
        upload = received
    return _tell(context, key, upload)


def _create(
    request: Request, context: Context, key: ApiKey, *, said: NewUploadBody, speaker: Speaker, place: Place
) -> Upload:
    made = getattr(request.state, "resource", None)
    if made is not None:  # the same request was answered before
        return _find(context, key, made)
    upload_id = secrets.token_hex(16)
    new = NewUpload(
        id=upload_id,
        tenant=key.tenant,
        key_id=key.id,
        subject=request.state.subject,
        store=place.store.name,
        bucket=place.store.bucket,
        key=place.make_key(upload_id, said.name_ending),
        binding=bind(speaker, secret=context.naming.key),
        size_bytes=said.size_bytes,
        sha256=said.sha256,
    )
    max_open = context.uploads.settings.api_open_uploads
    try:
        return uploads.create(context.engine, new, lifetime=LIFETIME, max_open=max_open)
    except TooManyOpen as error:
        wait_s = str(max(1, math.ceil(error.wait_s)))
        detail = f"{error.n_open} uploads of this key wait for their bytes, and {max_open} may: complete them first."
        raise Problem(429, "too-many-uploads", detail=detail, headers={"Retry-After": wait_s}) from None


def _find(context: Context, key: ApiKey, upload_id: str) -> Upload:
    upload = uploads.find(context.engine, key.tenant, upload_id)
    if upload is None:
        raise no_such("upload")
    return upload


def _tell(context: Context, key: ApiKey, upload: Upload) -> UploadBody:
    note = None
    if upload.recording_id is not None:
        model = choose_model_of_note(context, None, tenant=key.tenant, note_id=upload.recording_id)
        note = notes.get_note(context.engine, key.tenant, upload.recording_id, model_id=id_of(model))
    return UploadBody.of(upload, note)


def _require_open(upload: Upload) -> None:
    if upload.state is not UploadState.OPEN or upload.is_over:
        why = "Its bytes are there already" if upload.state is not UploadState.OPEN else "It is over"
        raise Problem(409, "upload-closed", detail=f"{why}: begin a new upload.")


def _read_headers(request: Request, context: Context, upload: Upload) -> Speaker:
    names = [name for name in request.headers if name.startswith(HEADER_PREFIX)]
    speaker = read_metadata({name.removeprefix(HEADER_PREFIX): request.headers[name] for name in names})
    if speaker is None or bind(speaker, secret=context.naming.key) != upload.binding:
        raise _differs(f"the {HEADER_PREFIX}* headers are not those of its `put`")
    return speaker


async def _stream(request: Request, context: Context, upload: Upload, *, place: Place, speaker: Speaker) -> Upload:
    max_bytes = min(context.uploads.max_bytes, upload.size_bytes or context.uploads.max_bytes)
    file = LocalUpload(place.folder, upload.key, max_bytes=max_bytes)
    await run_in_threadpool(file.__enter__)
    try:
        async for block in request.stream():
            await run_in_threadpool(file.write, block)
        return await run_in_threadpool(_store, context, upload, file, speaker)
    finally:
        await run_in_threadpool(file.__exit__, None, None, None)


def _store(context: Context, upload: Upload, file: LocalUpload, speaker: Speaker) -> Upload:
    if not file.n_bytes:
        raise _differs("no bytes came")
    if upload.size_bytes is not None and file.n_bytes != upload.size_bytes:
        raise _differs(f"{upload.size_bytes} bytes were announced, and {file.n_bytes} came")
    if upload.sha256 is not None and file.sha256 != upload.sha256:
        raise _differs("the sha256 is another one than was announced")
    file.settle(make_sidecar(speaker))
    received = uploads.receive(context.engine, upload.tenant, upload.id, store_it=file.show)
    if received is None:
        raise no_such("upload")
    return received


def _check_object(context: Context, upload: Upload) -> None:
    try:
        stored = context.uploads.place().store.head(upload.key)
    except ObjectMissing:
        raise _no_bytes() from None
    except StorageDenied:
        detail = "This server may not look at what was uploaded; an operator has to let it. The next scan finds it."
        raise Problem(503, "uploads-not-possible", detail=detail) from None
    except StorageError:
        raise _unavailable() from None
    if stored.size_bytes > context.uploads.max_bytes:
        raise _too_large(context.uploads.max_bytes)
    if upload.size_bytes is not None and stored.size_bytes != upload.size_bytes:
        raise _differs(f"{upload.size_bytes} bytes were announced, and {stored.size_bytes} came")
    if upload.store == "local":
        return  # nobody but this server puts it there, with the sidecar that was announced
    speaker = read_metadata(stored.metadata or {})
    if speaker is None or bind(speaker, secret=context.naming.key) != upload.binding:
        raise _differs("its metadata are not the headers that were to be sent")


def _no_bytes() -> Problem:
    return Problem(409, "upload-has-no-bytes", detail="Its bytes have not come yet: send them first.")


def _differs(why: str) -> Problem:
    return Problem(409, "upload-differs", detail=f"It is not what was announced: {why}. Send it again.")


def _too_large(max_bytes: int) -> Problem:
    return Problem(413, "too-large", detail=f"The recording has more than {max_bytes} bytes, which are not taken.")


def _unavailable() -> Problem:
    detail = "The storage is not available now: try again."
    return Problem(503, "unavailable", detail=detail, headers={"Retry-After": str(_RETRY_S)})
