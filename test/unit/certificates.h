// Certificates made for a test, in a directory that goes with it.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>

namespace pgsync::test {

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(::testing::TempDir() + "sync_unit_XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary directory");
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string File(const std::string& name) const { return path_ + "/" + name; }
  std::string Write(const std::string& name, const std::string& content) const {
    std::ofstream(File(name)) << content;
    return File(name);
  }

 private:
  std::string path_;
};

/// A certificate that signed itself, and its key, as PEM files.
struct Certificate {
  std::string certificate_file;
  std::string key_file;
};

/// `names` is a subjectAltName: "DNS:localhost,IP:127.0.0.1".
inline Certificate MakeCertificate(const TemporaryDirectory& directory, const std::string& name,
                                   const std::string& names) {
  const auto check = [](bool good) {
    if (!good) throw std::runtime_error("could not make a certificate");
  };
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  check(key && certificate);
  X509* x509 = certificate.get();
  check(X509_set_version(x509, 2) == 1);
  check(ASN1_INTEGER_set(X509_get_serialNumber(x509), 1) == 1);
  check(X509_gmtime_adj(X509_getm_notBefore(x509), -3600) != nullptr);
  check(X509_gmtime_adj(X509_getm_notAfter(x509), 24 * 3600) != nullptr);
  check(X509_set_pubkey(x509, key.get()) == 1);
  X509_NAME* subject = X509_get_subject_name(x509);
  const auto* text = reinterpret_cast<const unsigned char*>(name.c_str());
  check(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1);
  check(X509_set_issuer_name(x509, subject) == 1);
  X509V3_CTX context;
  X509V3_set_ctx(&context, x509, x509, nullptr, nullptr, 0);
  const std::pair<int, std::string> extensions[] = {{NID_basic_constraints, "critical,CA:TRUE"},
                                                    {NID_subject_alt_name, names}};
  for (const auto& [id, value] : extensions) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
    check(extension != nullptr && X509_add_ext(x509, extension, -1) == 1);
    X509_EXTENSION_free(extension);
  }
  check(X509_sign(x509, key.get(), EVP_sha256()) > 0);

  const Certificate files = {directory.File(name + ".crt"), directory.File(name + ".key")};
  const auto close = [](FILE* file) { fclose(file); };
  std::unique_ptr<FILE, decltype(close)> to(fopen(files.certificate_file.c_str(), "w"), close);
  check(to && PEM_write_X509(to.get(), x509) == 1);
  to.reset(fopen(files.key_file.c_str(), "w"));
  check(to &&
        PEM_write_PrivateKey(to.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return files;
}

}  // namespace pgsync::test
