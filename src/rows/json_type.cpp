#include "rows/json_type.h"

#include <algorithm>

#include "core/json.h"
#include "core/text.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"
}

namespace pgsync::rows {

JsonType::JsonType(Oid type, int32 typmod, MemoryContext context)
    : type_(type), typmod_(typmod), context_(context), text_(catalog::TextDependenceOf(type)) {
  struct {
    char typtype;
    Oid element;
    int natts;
    TupleDesc desc;
  } found = pg::Call([&] {
    decltype(found) facts = {};
    base_ = getBaseTypeAndTypmod(type, &typmod_);
    facts.typtype = get_typtype(base_);
    // These two look like arrays, but not every array is one of them.
    const bool is_vector = base_ == INT2VECTOROID || base_ == OIDVECTOROID;
    facts.element = is_vector ? InvalidOid : get_element_type(base_);
    Oid function;
    bool is_varlena;
    getTypeOutputInfo(base_, &function, &is_varlena);
    fmgr_info_cxt(function, &output_, context);
    getTypeInputInfo(base_, &function, &io_param_);
    fmgr_info_cxt(function, &input_, context);
    if (facts.typtype == TYPTYPE_COMPOSITE) {
      TupleDesc shared = lookup_rowtype_tupdesc(base_, -1);
      facts.desc = CreateTupleDescCopy(shared);
      ReleaseTupleDesc(shared);
    }
    return facts;
  });
  if (OidIsValid(found.element)) {
    kind_ = Kind::kArray;
    element_ = std::make_unique<JsonType>(found.element, typmod_, context);
    return;
  }
  if (found.typtype == TYPTYPE_COMPOSITE) {
    kind_ = Kind::kComposite;
    for (int i = 0; i < found.desc->natts; i++) {
      const Form_pg_attribute attribute = TupleDescAttr(found.desc, i);
      Field field;
      if (!attribute->attisdropped) {
        field.name = NameStr(attribute->attname);
        field.type = std::make_unique<JsonType>(attribute->atttypid, attribute->atttypmod, context);
      }
      fields_.push_back(std::move(field));
    }
    std::vector<std::string> names;
    for (const Field& field : fields_)
      names.push_back(field.name);
    members_ = MembersOf(names);
    return;
  }
  switch (base_) {
    case BOOLOID:
      kind_ = Kind::kBool;
      break;
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case OIDOID:
      kind_ = Kind::kInteger;
      break;
    case FLOAT4OID:
    case FLOAT8OID:
      kind_ = Kind::kFloat;
      break;
    case NUMERICOID:
      kind_ = Kind::kNumeric;
      break;
    case CHAROID:
      kind_ = Kind::kChar;
      break;
    case DATEOID:
    case TIMEOID:
    case TIMETZOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
      kind_ = Kind::kDateTime;
      break;
    case JSONOID:
      kind_ = Kind::kJson;
      break;
    case JSONBOID:
      kind_ = Kind::kJsonb;
      break;
    default:
      kind_ = Kind::kText;
  }
}

std::vector<Member> MembersOf(const std::vector<std::string>& names) {
  std::vector<Member> members;
  for (size_t i = 0; i < names.size(); i++) {
    if (!names[i].empty()) members.push_back({i, std::string()});
  }
  // By length, then by bytes.
  std::sort(members.begin(), members.end(), [&](const Member& left, const Member& right) {
    const std::string &a = names[left.position], &b = names[right.position];
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  for (Member& member : members) {
    const std::string& name = names[member.position];
    std::string text(core::JsonStringRoom(name), '\0');
    text.resize(static_cast<size_t>(core::PutJsonString(text.data(), name) - text.data()));
    member.label = core::Cat(&member == &members.front() ? "{" : ", ", text, ": ");
  }
  return members;
}

void set_json_string(JsonbValue* json, const char* text, size_t size) {
  json->type = jbvString;
  json->val.string.val = const_cast<char*>(text);
  json->val.string.len = static_cast<int>(size);
}

}  // namespace pgsync::rows
