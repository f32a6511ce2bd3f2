#version 330
// The camera and the air, shared by all shaders. Directions are unit vectors in world axes (x east, y north, z up).
layout(std140) uniform Frame {  // see renderer.Frame
    mat4 u_camera;              // from metres relative to the eye to clip space
    vec3 u_eye;
    float u_time;
    vec3 u_zenith;
    float u_night;
    vec3 u_horizon;
    float u_clear;
    vec3 u_glow;
    float u_visibility;         // metres to where all is haze
    vec3 u_sun_colour;
    float u_clouds;
    vec3 u_skylight, u_light_dir, u_sun_dir, u_moon_dir;
};

float toward_sun(vec3 dir) {
    float toward = 0.5 + 0.5 * dot(dir, u_sun_dir);
    toward *= toward;
    return 0.85 * toward * toward * toward;
}

vec3 horizon_colour(vec3 dir) { return mix(u_horizon, u_glow, toward_sun(dir)); }

vec3 sky_colour(vec3 dir) {
    float up = max(dir.z, 0.0);
    vec3 base = mix(u_horizon, u_zenith, 1.0 - exp(-3.2 * up));
    return mix(base, u_glow, toward_sun(dir) * exp(-3.0 * up));
}

vec3 shade(vec3 normal) {
    float sun = max(dot(normal, u_light_dir) * 0.85 + 0.15, 0.0);
    return u_skylight * (0.86 + 0.16 * normal.z) + u_sun_colour * sun * 0.86;
}
