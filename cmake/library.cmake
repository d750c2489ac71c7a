# One object library per room of src/, the static and the shared library made of them.
set(SP_ROOMS base editor crypto key transport auth connection engine loop fs server sftp scp)
set(SP_OBJECTS)
foreach(room IN LISTS SP_ROOMS)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${room}/*.c)
  add_library(sp_${room} OBJECT ${sources})
  target_include_directories(sp_${room} PRIVATE ${PROJECT_SOURCE_DIR}/include
    ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(sp_${room} PRIVATE sp_options)
  list(APPEND SP_OBJECTS $<TARGET_OBJECTS:sp_${room}>)
endforeach()
target_link_libraries(sp_crypto PRIVATE PkgConfig::LIBCRYPTO)
# Lattices and Keccak: loops that want to be vectors, and on x86 the same once more for processors
# that have AVX2, which spc_cpu_avx2 asks at run time.
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/crypto/keccak*.c
  ${PROJECT_SOURCE_DIR}/src/crypto/mldsa*.c ${PROJECT_SOURCE_DIR}/src/crypto/mlkem*.c
  ${PROJECT_SOURCE_DIR}/src/crypto/sntrup761*.c)
set_property(SOURCE ${sources} APPEND PROPERTY COMPILE_OPTIONS -O3)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|i[3-6]86)$")
  list(FILTER sources INCLUDE REGEX "_avx2\\.c$")
  set_property(SOURCE ${sources} APPEND PROPERTY COMPILE_OPTIONS -mavx2)
endif()
target_link_libraries(sp_transport PRIVATE PkgConfig::ZLIB)
target_link_libraries(sp_loop PRIVATE PkgConfig::LIBUV)
set(SP_LINK PkgConfig::LIBUV PkgConfig::LIBCRYPTO PkgConfig::ZLIB)
if(SP_WITH_SASLPREP)
  target_compile_definitions(sp_auth PRIVATE SP_HAVE_LIBIDN)
  target_link_libraries(sp_auth PRIVATE PkgConfig::LIBIDN)
  list(APPEND SP_LINK PkgConfig::LIBIDN)
endif()
if(SP_WITH_UTF8PROC)
  target_compile_definitions(sp_editor PRIVATE SP_HAVE_UTF8PROC)
  target_link_libraries(sp_editor PRIVATE PkgConfig::UTF8PROC)
  list(APPEND SP_LINK PkgConfig::UTF8PROC)
endif()

add_library(sallyport_static STATIC ${SP_OBJECTS})
set_target_properties(sallyport_static PROPERTIES OUTPUT_NAME sallyport EXPORT_NAME static)
add_library(sallyport SHARED ${SP_OBJECTS})
set_target_properties(sallyport PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0
  LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/sallyport.map)
target_link_options(sallyport PRIVATE
  -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/sallyport.map)
foreach(library sallyport sallyport_static)
  target_include_directories(${library} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
endforeach()
# Sanitizers must be linked into the shared library's users, not into itself alone.
target_link_libraries(sallyport PRIVATE ${SP_LINK} $<BUILD_INTERFACE:sp_options>)
target_link_libraries(sallyport_static PRIVATE ${SP_LINK} $<BUILD_INTERFACE:sp_options>)
