"""Values as JSON that Moraine's own readers give, so that they can be compared."""
import datetime
import decimal


def plain(value):
    if isinstance(value, datetime.datetime):
        zone = "Z" if value.tzinfo else ""
        moment = value.astimezone(datetime.timezone.utc).replace(tzinfo=None) if value.tzinfo else value
        return moment.isoformat(timespec="microseconds") + zone
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, float) and value != value:
        return "NaN"
    if isinstance(value, list):
        return [plain(item) for item in value]
    if hasattr(value, "asDict"):
        value = value.asDict()
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value
