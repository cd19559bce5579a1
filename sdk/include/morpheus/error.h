/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Error codes of the C ABI: 0 is success, every error is negative. Values are never reused.
 */
#ifndef MORPHEUS_ERROR_H
#define MORPHEUS_ERROR_H

#include <morpheus/detail/export.h>

MORPHEUS_BEGIN_C

enum morpheus_error {
	MORPHEUS_OK = 0,
	MORPHEUS_ERR_INVALID = -1, /**< an argument is out of its documented range */
	MORPHEUS_ERR_ALREADY =
		-2, /**< the process is attached, or the thread registered, already */
	MORPHEUS_ERR_NOT_ATTACHED = -3,   /**< morpheus_attach() comes first */
	MORPHEUS_ERR_NOT_REGISTERED = -4, /**< the calling thread is not registered */
	MORPHEUS_ERR_STATE = -5,          /**< the worker cannot go to that state from its own */
	MORPHEUS_ERR_CRITICAL = -6,       /**< not possible inside a critical section */
	MORPHEUS_ERR_BUSY = -8,           /**< threads of this process are still registered */
	MORPHEUS_ERR_NO_MEMORY = -9,      /**< not enough memory or address space */
	MORPHEUS_ERR_SYSTEM = -10,        /**< a thread or a descriptor could not be made */
};

/// The name of an error, e.g. "MORPHEUS_ERR_BUSY"; "MORPHEUS_ERR_UNKNOWN" for any other number.
/// Static storage; any thread.
MORPHEUS_API const char *morpheus_error_name(int error) MORPHEUS_NOEXCEPT;

/// What the error means, in English: part of a sentence. Static storage; any thread.
MORPHEUS_API const char *morpheus_error_text(int error) MORPHEUS_NOEXCEPT;

MORPHEUS_END_C

#endif
