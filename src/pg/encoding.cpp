#include "pg/encoding.h"

extern "C" {
#include "mb/pg_wchar.h"
}

namespace pgsync::pg {

namespace {

using Convert = char* (*)(const char*, int, int);

std::string Converted(const std::string& text, Convert convert) {
  // The converters return their argument where there is nothing to do.
  const char* result =
      Call([&] { return convert(text.c_str(), static_cast<int>(text.size()), PG_UTF8); });
  if (result == text.c_str()) return text;
  std::string out(result);
  pfree(const_cast<char*>(result));
  return out;
}

void ConvertStrings(core::JsonValue& value, core::JsonDocument::AllocatorType& allocator) {
  if (value.IsString()) {
    const std::string text(value.GetString(), value.GetStringLength());
    const std::string converted = FromUtf8(text);
    if (converted != text) value.SetString(converted, allocator);
  } else if (value.IsArray()) {
    for (core::JsonValue& element : value.GetArray())
      ConvertStrings(element, allocator);
  } else if (value.IsObject()) {
    for (auto& member : value.GetObject()) {
      ConvertStrings(member.name, allocator);
      ConvertStrings(member.value, allocator);
    }
  }
}

}  // namespace

std::string ToUtf8(const std::string& text) {
  return Converted(text, pg_server_to_any);
}
std::string FromUtf8(const std::string& text) {
  return Converted(text, pg_any_to_server);
}

namespace {

std::string ConvertedOrMasked(const std::string& text, std::string (*convert)(const std::string&)) {
  try {
    return convert(text);
  } catch (const PgError&) {
    std::string masked = text;
    for (char& c : masked) {
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
    return masked;
  }
}

}  // namespace

core::RemoteError ErrorForWire(const core::Error& error) {
  return {error.state().c_str(), ConvertedOrMasked(error.message(), ToUtf8),
          ConvertedOrMasked(error.detail(), ToUtf8), ConvertedOrMasked(error.hint(), ToUtf8)};
}

core::Error ErrorFromWire(const core::Error& error) {
  return core::Error(error.state(), ConvertedOrMasked(error.message(), FromUtf8))
      .WithDetail(ConvertedOrMasked(error.detail(), FromUtf8))
      .WithHint(ConvertedOrMasked(error.hint(), FromUtf8));
}

core::JsonDocument ParsePeerJson(const std::string& text, std::string_view what) {
  core::JsonDocument document = core::ParseJson(text, what);
  if (GetDatabaseEncoding() != PG_UTF8) ConvertStrings(document, document.GetAllocator());
  return document;
}

ClientEncodingScope::ClientEncodingScope(int encoding)
    : saved_(pg_get_client_encoding()), encoding_(encoding) {
  if (saved_ == encoding) return;
  Call([&] {
    if (PrepareClientEncoding(encoding) < 0 || SetClientEncoding(encoding) < 0) {
      ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                      errmsg("no conversion between \"%s\" and \"%s\"", GetDatabaseEncodingName(),
                             pg_encoding_to_char(encoding))));
    }
  });
}

ClientEncodingScope::~ClientEncodingScope() {
  suspend();
}

// Switching to an encoding that was in use needs no catalog access and cannot fail.
void ClientEncodingScope::suspend() noexcept {
  if (pg_get_client_encoding() != saved_) SetClientEncoding(saved_);
}
void ClientEncodingScope::resume() noexcept {
  if (pg_get_client_encoding() != encoding_) SetClientEncoding(encoding_);
}

}  // namespace pgsync::pg
