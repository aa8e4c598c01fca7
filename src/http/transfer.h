// Takes: a curl handle and a request. Gives: one try of it. Never: tries again; see client.cc.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

#include "http/client.h"

namespace embedforge {

struct CurlFree {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlHandle = std::unique_ptr<CURL, CurlFree>;

struct Transfer {
  CURLcode code = CURLE_OK;
  std::string reason;      // of a failure, in curl's words
  HttpResponse response;   // what came of it, also when it broke off
  double retry_after = 0;  // seconds; 0: not said
  uint64_t received = 0;   // bytes that went to the sink
  bool too_large = false;
};

/// `sink` nullptr: the body is kept in the response. A status of 400 and above never reaches the
/// sink; its body is kept (at most 64 KiB). What the sink throws comes through.
Transfer transfer_once(CURL* handle, const HttpOptions& options, const HttpRequest& request,
                       const HttpSink* sink, uint64_t from, const std::string& etag);

}  // namespace embedforge
