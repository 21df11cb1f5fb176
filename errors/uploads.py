"""Forms with files in them, read within a limit and into memory: nothing of a source map is ever a file of ours."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, DataAndFiles

from bloop_site.lib.api import ApiError
from bloop_site.lib.parsers import MAX_UPLOAD
from ingest.body import refuse_long


class SentFile(SimpleUploadedFile):
    """A file of a form. sent_name: its name as the form has it, which Django's own files lose the folders of."""

    def __init__(self, sent_name: str, content: bytes) -> None:
        super().__init__(sent_name, content)
        self.sent_name = sent_name


class InMemory(FileUploadHandler):
    """Keeps the files of a form in memory; how many bytes they may be, whoever reads the form has checked."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.parts: list[bytes] = []

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.parts.append(raw_data)

    def file_complete(self, file_size: int) -> SentFile:
        return SentFile(self.file_name or "", b"".join(self.parts))


class NamesAsSent(MultiPartParser):
    """Django's parser, but for names: ours never become paths, and `a/app.js.map` is not `b/app.js.map`."""

    def sanitize_file_name(self, file_name: str) -> str:
        return "".join(each for each in file_name if each.isprintable())


class UploadForm(BaseParser):
    """multipart/form-data of at most 5 MiB in all (contract 5.6). Raises ApiError 413, 415 or 400."""

    media_type = "multipart/form-data"
    limit: ClassVar[int] = MAX_UPLOAD

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        request: HttpRequest = (parser_context or {})["request"]._request  # noqa: SLF001  as DRF's own parsers do
        if request.META.get("HTTP_CONTENT_ENCODING", "identity") not in ("", "identity"):
            raise ApiError("unsupported Content-Encoding; send the file itself as gzip", status=415)
        refuse_long(request, limit=self.limit)
        meta = {**request.META, "CONTENT_TYPE": media_type}
        try:
            found = NamesAsSent(meta, stream, [InMemory(request)], settings.DEFAULT_CHARSET).parse()
        except (MultiPartParserError, SuspiciousOperation) as error:
            raise ParseError(f"invalid form: {error}") from None
        except OSError:
            raise ParseError("failed to read body") from None
        return DataAndFiles(*found)
