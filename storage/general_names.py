"""Which names of folders and files are no person's: dates, numbers of a month, and words such as `recordings`."""

import re
import unicodedata

# What recorders, messengers and people call what is not a person, in the languages of their menus.
_GENERAL = """
aac amr app apps archive archiv attachments attachment aud audio audios audiofiles audiofile audiorecorder
audiorecordings backup backups bucket call calls camera center centre chat chats clip clips com conversation conversations data
dataset dcim demo dictation dictaphone documents document download downloads export exports external
file files flac folder from home image images img import imports in inbox incoming input interview
interviews item items ios iphone log logs lecture lectures media medium meeting meetings memo memos memory
message messages mic microphone misc mobile mov movie movies msg music my new note notes of ogg old opus
other out outgoing output pcm phone phonecall phonecalls podcast podcasts private processed ptt public pxl
raw rec received record recorded recorder recorders recording recordings records recs sample samples sdcard sent
session sessions share shared sound sounds speech standup storage store sync take takes temp test tests the tmp to
track tracks training upload uploaded uploads unknown untitled untagged vid video videos vm vn vns voice voicemail
voicemails voicememo voicememos voicemessage voicemessages voicenote voicenotes voicerecorder voices wav webm week
day month year hour zoom
anruf anrufe aufnahme aufnahmen aufzeichnung aufzeichnungen daten dateien gesprach gesprache neue nachricht nachrichten
notiz notizen ordner sprachaufnahme sprachaufnahmen sprachmemo sprachmemos sprachnachricht sprachnachrichten
sprachnotiz sprachnotizen stimme
appel appels enregistrement enregistrements nouvel nouveau vocal vocale vocales vocaux voix
grabacion grabaciones grabadora llamada llamadas mensaje mensajes nota notas nueva nuevo voz
chiamata chiamate messaggi messaggio nuova registrazione registrazioni vocali voce
chamada chamadas gravacao gravacoes gravador mensagem mensagens
geluid geluiden gesprek gesprekken opname opnames spraak spraakmemo
ljud inspelning inspelningar optagelse optagelser opptak
glos nagranie nagrania notatki notatka rozmowa rozmowy
agents clients contacts customers employees members participants patients people persons prod production speakers
staging students subjects tenants users
acr callrecorder callrecordings desktop diktiergerat dropbox drive easy google icloud internal just miui mono onedrive
press pro rekorder smart sprachrekorder standard stereo
"""
_WORDS = frozenset(_GENERAL.split())
_FORMATS = frozenset({"3gp", "m4a", "mp3", "mp4", "s3", "w64"})
# The first word of a folder that an app made; what follows may be the name of a group, or of whom one wrote with.
_APPS = frozenset({"whatsapp", "whats", "telegram", "chatexport", "signal", "com", "org", "android"})
_YEAR = r"(?:19|20)\d{2}"
_MONTH = r"(?:0[1-9]|1[0-2])"
_DAY = r"(?:0[1-9]|[12]\d|3[01])"
_WEEK = r"(?:0[1-9]|[1-4]\d|5[0-3])"  # WhatsApp's folders: 202645 is the 45th week
_PERIOD = re.compile(
    rf"{_YEAR}|{_YEAR}{_MONTH}{_DAY}|{_YEAR}{_WEEK}|{_YEAR}-?(?:[Ww]|[Kk][Ww]|[Qq])\d{{1,2}}", re.ASCII
)
_HOLDS_DATE = re.compile(rf"(?<!\d){_YEAR}(?:[-_.]{_MONTH}(?!\d)|{_MONTH}{_DAY}(?!\d))", re.ASCII)
_PARTITION = re.compile(r"[A-Za-z_]+=\d+", re.ASCII)  # year=2026, as Hive and Spark lay out folders
_SHORT_NUMBER = re.compile(r"\d{1,2}", re.ASCII)
_WORD = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def names_nobody(name: str, *, is_after_year: bool = False) -> bool:
    """Whether a name is a date or a number of one, or has only words that anybody's recordings go by.

    Args:
        name: a folder's name, or the part of a file's name before the time.
        is_after_year: it lies in a folder of a year or month, where `03` is no person.

    Examples:
        >>> [names_nobody(name) for name in ("recordings", "Voice 001", "2026-03-02", "202603", "WhatsApp Voice Notes")]
        [True, True, True, True, True]
        >>> [names_nobody(name) for name in ("ana", "user-123", "+4912345", "0042", "03")]
        [False, False, False, False, False]
        >>> names_nobody("03", is_after_year=True)
        True
    """
    name = name.strip()
    if is_after_year and _SHORT_NUMBER.fullmatch(name):
        return True
    if _PERIOD.fullmatch(name) or _HOLDS_DATE.search(name) or _PARTITION.fullmatch(name):
        return True
    if name.lower() in _FORMATS:
        return True
    words = _words(name)
    if not words:
        return not any(character.isdigit() for character in name)
    return words[0] in _APPS or all(word in _WORDS for word in words)


def has_general_word(name: str) -> bool:
    """Whether one of the words of a name is general, so that a file's name says too little about who it is.

    >>> has_general_word("voice_ana"), has_general_word("ana_maria")
    (True, False)
    """
    return any(word in _WORDS for word in _words(name))


def _words(name: str) -> list[str]:
    plain = "".join(
        character
        for character in unicodedata.normalize("NFKD", _CAMEL.sub(" ", name))
        if not unicodedata.combining(character)
    )
    return [word.lower() for word in _WORD.findall(plain)]


def is_period(name: str) -> bool:
    """Whether a folder's name is a year, a month, or a week or quarter of a year.

    >>> is_period("2026"), is_period("202603"), is_period("ana")
    (True, True, False)
    """
    return _PERIOD.fullmatch(name.strip()) is not None
